"""The cuda engine: the printed kernel and the account's own functions, translated to CUDA C++."""
