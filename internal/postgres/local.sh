# Runs one throw-away PostgreSQL server. Ends it and removes its directory as soon as standard input closes, whoever closes it.
#   $1 folder of initdb and postgres; $2 port; $3 and on: folders to try for the server's directory
#   environment: SUPERUSER, PASSWORD
set -u
umask 077
trap '' HUP INT TERM # the pipe alone decides: a signal to everything in sight must not cost the cleaning up

bin=$1 port=$2
shift 2
directory=
for place in "$@"; do
	directory=$(mktemp -d "$place/dialogsync-postgres.XXXXXX") && break
done
[ -n "$directory" ] || exit 1

# Keep the pipe on descriptor 3: a job in the background gets /dev/null for its input.
exec 3<&0 </dev/null
cd "$directory"
printf '%s' "$PASSWORD" >password
if "$bin/initdb" --pgdata=data --username="$SUPERUSER" --pwfile=password --auth=scram-sha-256 \
	--encoding=UTF8 --locale=C --no-sync --no-instructions 3<&-; then

	# Nothing here outlives the process that wants it, so nothing is worth a wait for the disk.
	"$bin/postgres" -D data -p "$port" \
		-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 -c timezone=UTC \
		-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 \
		-c max_wal_size=4GB -c checkpoint_timeout=1h -c shared_buffers=256MB -c jit=off -c shared_preload_libraries= 3<&- &
	server=$!
	# QUIT is PostgreSQL's immediate stop. It is repeated since a server that has only just begun does not heed it yet.
	(
		read -r _ <&3
		while kill -QUIT "$server" 2>/dev/null; do sleep 1; done
	) &
	watch=$!
	wait "$server"
	kill -KILL "$watch" 2>/dev/null
fi
cd /
rm -rf "$directory"
