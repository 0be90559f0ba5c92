// Package postgres finds PostgreSQL for the demonstration, the tests and CI: the server whose URL is given, else a throw-away one
// of its own, from server programs on this machine, from Docker, or from apt-get.
//
// A throw-away server belongs to the process that started it. It and its directory go away on Stop and, however that process
// ends, kill -9 included, when the operating system closes the process's end of a pipe: a small shell script in a session of its
// own (local.sh, docker.sh) is the server's parent and waits for that. A parent-death signal would not do: the kernel clears it
// when the child changes to the unprivileged account that PostgreSQL insists on.
//
// Nothing of the product's own schema is known here, and no product package imports this one. Linux and macOS only.
package postgres
