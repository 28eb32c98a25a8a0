"""A double of what the Gemini API keeps for its callers, written for these tests: caches, files, batches.

No public double speaks them. Requests and answers have the form of the API's reference
(https://ai.google.dev/api/caching, /files, /batch-api) and of the types of google-genai 3.4; it keeps an
account of its own of what lies there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.llm.servers import Answer, Body, Server, plain

EXPIRES = "2026-11-23T03:13:20Z"
"""The end of every cache: an hour after the tests' clock."""


@dataclass
class Gemini:
    """What lies at the provider.

    Attributes
    ----------
    server
        Answers in its name.
    tokens
        What it counts in any prompt.
    caches, files, batches
        By name.
    not_yet
        How often an uploaded file, or a batch, is asked for before it is ready.
    """

    server: Server
    tokens: int = 10_000
    caches: dict[str, Body] = field(default_factory=dict)
    files: dict[str, Body] = field(default_factory=dict)
    batches: dict[str, Body] = field(default_factory=dict)
    not_yet: int = 1
    file_state: str = "ACTIVE"
    usage: Body = field(default_factory=lambda: {"promptTokenCount": 30, "candidatesTokenCount": 4})

    def __post_init__(self) -> None:
        self.server.otherwise = self.answer

    def answer(self, path: str, body: Body) -> Answer:
        """Answer one request."""
        method = self.server.methods[-1]
        bare = path.partition("?")[0].removeprefix("/v1")
        match method, bare:
            case "POST", "/cachedContents":
                return self.keep(body)
            case "POST", "/upload/v1/files" | "/upload/files":
                return self.announce(body)
            case "POST", _ if bare.startswith("/send/"):
                return self.receive(bare.removeprefix("/send/"), body)
            case "POST", _ if bare.endswith(":countTokens"):
                return plain({"totalTokens": self.tokens})
            case "POST", _ if bare.endswith(":batchGenerateContent"):
                return self.take(bare, body)
            case "POST", _ if bare.endswith(":streamGenerateContent"):
                return self.found("GET", body["cachedContent"])
            case "GET" | "DELETE", _:
                return self.found(method, bare.lstrip("/"))
        raise AssertionError(f"nothing to answer to {method} {path}")

    def keep(self, body: Body) -> Answer:
        assert body["model"].startswith("models/")
        assert re.fullmatch(r"\d+s", body["ttl"])
        assert body["contents"][0]["role"] == "user"
        name = f"cachedContents/c{len(self.caches) + 1}"
        counted = {"totalTokenCount": self.tokens}
        made = {"name": name, "model": body["model"], "expireTime": EXPIRES, "usageMetadata": counted}
        self.caches[name] = {**made, "asked": body}
        return plain(made)

    def announce(self, body: Body) -> Answer:
        headers = self.server.headers[-1]
        assert headers["x-goog-upload-protocol"] == "resumable"
        name = f"files/f{len(self.files) + 1}"
        size = int(headers["x-goog-upload-header-content-length"])
        self.files[name] = {
            "name": name,
            "uri": f"https://example.invalid/v1/{name}",
            "mimeType": body["file"]["mime_type"],  # Protobuf's other spelling, from the client
            "sizeBytes": str(size),
            "state": "PROCESSING",
        }
        return plain({}, **{"x-goog-upload-url": f"{self.server.url}/v1/send/{name}"})

    def receive(self, name: str, body: Body) -> Answer:
        assert body["bytes"] == int(self.files[name]["sizeBytes"])
        return plain({"file": self.files[name]}, **{"x-goog-upload-status": "final"})

    def take(self, path: str, body: Body) -> Answer:
        requests = body["batch"]["inputConfig"]["requests"]["requests"]
        name = f"batches/b{len(self.batches) + 1}"
        model = path.strip("/").partition(":")[0]
        meta = {"model": model, "state": "BATCH_STATE_PENDING", "createTime": "2026-11-23T04:13:20Z"}
        self.batches[name] = {"name": name, "metadata": meta, "requests": requests}
        return plain({"name": name, "metadata": meta})

    def end(self, name: str, answers: list[Body] | None, state: str = "SUCCEEDED") -> None:
        """End a batch, with an answer or an error for each of its requests."""
        batch = self.batches[name]
        batch["metadata"] = {**batch["metadata"], "state": f"BATCH_STATE_{state}"}
        if answers is not None:
            given = [
                {**answer, "metadata": request["metadata"]}
                for answer, request in zip(answers, batch["requests"], strict=True)
            ]
            batch["metadata"]["output"] = {"inlinedResponses": {"inlinedResponses": given}}

    def said(self, text: str) -> Body:
        """Make the answer to one request of a batch."""
        candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}
        return {"response": {"candidates": [candidate], "usageMetadata": self.usage}}

    def found(self, method: str, name: str) -> Answer:
        for things in (self.caches, self.files, self.batches):
            if name not in things:
                continue
            if method == "DELETE":
                del things[name]
                return plain({})
            if things is self.files:
                self.not_yet -= 1
                if self.not_yet < 0:
                    things[name]["state"] = self.file_state
            shown: dict[str, Any] = {k: v for k, v in things[name].items() if k not in ("asked", "requests")}
            return plain(shown)
        words = {"error": {"code": 403, "message": "CachedContent not found", "status": "PERMISSION_DENIED"}}
        return Answer(403, chunks=[json.dumps(words).encode()])
