"""A library of documents and code on this machine: cut into passages, searched by words and by meaning."""
