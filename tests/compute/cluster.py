"""A real Slurm and a real sshd on loopback, each with all its files in one folder; no doubles."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grn.compute.clusters import Cluster
from grn.kit.files import sha256_hex

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "sshd", "ssh", "ssh-keygen", "rsync")
PACKAGES = "slurmctld slurmd slurm-client openssh-server openssh-client rsync"

SLURM_CONF = """\
ClusterName=loop
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
# A requeued job waits for the life of a credential: 2 minutes by default.
AuthInfo=cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SwitchType=switch/none
MpiDefault=none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
ReturnToService=2
JobRequeue=1
MinJobAge=300
KillWait=2
MessageTimeout=2
EnforcePartLimits=ALL
GresTypes=gpu
# The node has what is written here, whatever the machine has.
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 Port={slurmd_port} CPUs=4 RealMemory=32000 \
  Gres=gpu:a100:1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=1:00:00 DefMemPerCPU=100 State=UP
PartitionName=short Nodes=ALL MaxTime=1 DefMemPerCPU=100 State=UP
"""

GRES_CONF = "NodeName={host} Name=gpu Type=a100 File=/dev/null\n"
"""A card for the queue to count: nothing computes on it."""

SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/ssh/host
PidFile {folder}/run/sshd-{port}.pid
AuthorizedKeysFile {folder}/ssh/client.pub
PermitRootLogin yes
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
{more}
PasswordAuthentication no
SetEnv SLURM_CONF={folder}/slurm.conf NUMBA_CACHE_DIR={kernels}
Subsystem sftp internal-sftp
LogLevel VERBOSE
"""

SSH_CONFIG = """\
Host loop
  HostName 127.0.0.1
  Port {port}
  User root
  IdentityFile {folder}/ssh/client
  IdentitiesOnly yes
  UserKnownHostsFile {known}
  GlobalKnownHostsFile /dev/null
"""


def missing() -> str | None:
    """Why there can be no cluster here; ``None`` when there can."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    lacking = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if lacking:
        return f"needs {', '.join(lacking)}: apt-get install {PACKAGES}"
    return None if os.geteuid() == 0 else "slurmd and sshd start as root only"


@dataclass
class Loopback:
    """A cluster of one node.

    Attributes
    ----------
    folder
        All its files.
    port
        Of its sshd.
    """

    folder: Path
    port: int = 0
    ports: tuple[int, int] = (0, 0)
    host: str = field(default_factory=lambda: socket.gethostname().partition(".")[0])

    def start(self) -> None:
        """Write configurations and keys, start the daemons, wait until the node is idle."""
        for name in ("state", "spool", "log", "run", "ssh", "runs"):
            (self.folder / name).mkdir()
        self.port, self.ports = free_port(), (free_port(), free_port())
        (self.folder / "slurm.conf").write_text(
            SLURM_CONF.format(
                host=self.host,
                folder=self.folder,
                ctld_port=self.ports[0],
                slurmd_port=self.ports[1],
            )
        )
        (self.folder / "gres.conf").write_text(GRES_CONF.format(host=self.host))
        for name in ("host", "client", "other"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "ssh" / name], check=True
            )
        self.start_slurmctld("-c")
        self.start_slurmd()
        self.start_sshd(self.port)
        self.wait_for_node()

    def stop(self) -> None:
        """End every job, then every daemon by its process id."""
        self.slurm("scancel", "--user", "root")
        with contextlib.suppress(AssertionError):
            self.wait(lambda: not self.slurm("squeue", "-h", "-t", "R,CG"), "the end of all jobs", 10)
        for file in (self.folder / "run").glob("*.pid"):
            self.end(file.stem)
        # Connections that commands have left open for the next.
        for path in (self.folder / "run").rglob("*"):
            if path.is_socket():
                ended = ["ssh", "-O", "exit", "-o", f"ControlPath={path}", "loop"]
                subprocess.run(ended, capture_output=True, check=False)

    def start_slurmctld(self, *options: str) -> None:
        """Start the scheduler."""
        self._daemon("slurmctld", *options)

    def start_slurmd(self) -> None:
        """Start the node."""
        self._daemon("slurmd", "-N", self.host)

    def start_sshd(self, port: int, *, more: str = "") -> None:
        """Start a login node."""
        config = self.folder / "ssh" / f"sshd_config-{port}"
        # What other tests of this machine have compiled is not compiled again.
        kernels = os.environ.get("NUMBA_CACHE_DIR", self.folder / "kernels")
        text = SSHD_CONFIG.format(folder=self.folder, port=port, more=more, kernels=kernels)
        config.write_text(text)
        Path("/run/sshd").mkdir(exist_ok=True)
        self._daemon("sshd", "-f", str(config), "-E", str(self.folder / "log" / f"sshd-{port}.log"))

    def end(self, daemon: str, with_signal: int = signal.SIGTERM) -> None:
        """End a daemon, and wait until it has gone."""
        file = self.folder / "run" / f"{daemon}.pid"
        pid = int(file.read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, with_signal)
        self.wait(lambda: not _is_alive(pid), f"the end of {daemon}")
        file.unlink(missing_ok=True)

    def cluster(self, *, port: int | None = None, known: str | None = None, **settings: object) -> Cluster:
        """The cluster as a person writes it down; `known` replaces the host key that is known."""
        ssh = self.folder / "ssh"
        key = (ssh / "host.pub").read_text() if known is None else known
        number = self.port if port is None else port
        name = f"{number}-{sha256_hex(key.encode())[:8]}"
        (ssh / f"known-{name}").write_text(f"[127.0.0.1]:{number} {key}" if key else "")
        config = ssh / f"config-{name}"
        config.write_text(SSH_CONFIG.format(folder=self.folder, port=number, known=ssh / f"known-{name}"))
        fields: dict[str, object] = {
            "folder": str(self.folder / "runs"),
            "ssh_config": str(config),
            **settings,
        }
        return Cluster("loop", **fields)  # type: ignore[arg-type]

    def slurm(self, *command: str) -> str:
        """Run one of Slurm's programs, beside everything else."""
        ran = subprocess.run(command, env=self._environ(), capture_output=True, text=True, check=False)
        return ran.stdout + ran.stderr

    def wait_for_node(self) -> None:
        """Wait until the scheduler would start a job: for seconds after its own start it refuses any."""
        asked = ("sbatch", "--test-only", "--wrap", "true")
        self.wait(lambda: "to start at" in self.slurm(*asked), "the node")

    def kill_job(self, job_id: str) -> None:
        """Kill what a node's death would: the job's step daemon first, then every process of the job."""
        step, sign, found = f"[{job_id}.batch]".encode(), f"SLURM_JOB_ID={job_id}".encode(), []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if step in (folder / "cmdline").read_bytes():
                    found.insert(0, int(folder.name))
                elif sign in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        for with_signal in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, with_signal)

    def wait(self, ready: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Wait for something."""
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                logs = "\n".join(
                    f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}"
                    for log in (self.folder / "log").iterdir()
                )
                raise AssertionError(f"waited {seconds:g} s in vain for {what}\n{logs}")
            time.sleep(0.1)

    def _environ(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
        }

    def _daemon(self, program: str, *arguments: str) -> None:
        environ = self._environ()
        # sshd wants its whole path, for it starts itself anew.
        path = shutil.which(program, path=environ["PATH"])
        subprocess.run(
            [str(path), *arguments], env=environ, check=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        name = program if program != "sshd" else next(iter(arguments[1:2])).rpartition("_config-")[2]
        file = self.folder / "run" / (f"sshd-{name}.pid" if program == "sshd" else f"{program}.pid")
        self.wait(lambda: file.exists() and bool(file.read_text().strip()), f"{program} to start")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
