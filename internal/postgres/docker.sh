# Runs one throw-away PostgreSQL container. Removes it as soon as standard input closes, whoever closes it.
#   $1 docker; $2 name of the container; $3 image
#   environment: POSTGRES_USER, POSTGRES_PASSWORD
set -u
trap '' HUP INT TERM # the pipe alone decides: a signal to everything in sight must not cost the cleaning up

docker=$1 name=$2 image=$3
# Keep the pipe on descriptor 3: a job in the background gets /dev/null for its input.
exec 3<&0 </dev/null
# Nothing here outlives the process that wants it, so nothing is worth a wait for the disk.
"$docker" run --rm --name "$name" --publish 127.0.0.1::5432 --shm-size 256m \
	--env POSTGRES_USER --env POSTGRES_PASSWORD --env POSTGRES_DB=postgres \
	--env POSTGRES_INITDB_ARGS='--encoding=UTF8 --locale=C --no-sync' "$image" \
	-c max_connections=300 -c timezone=UTC \
	-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 \
	-c max_wal_size=4GB -c checkpoint_timeout=1h -c shared_buffers=256MB -c jit=off 3<&- &
client=$!
# Repeated, since the container may not be there yet: its image can still be on its way.
(
	read -r _ <&3
	while kill -0 "$client" 2>/dev/null; do
		"$docker" rm --force --volumes "$name" >/dev/null 2>&1
		sleep 1
	done
) &
watch=$!
wait "$client"
kill -KILL "$watch" 2>/dev/null
"$docker" rm --force --volumes "$name" >/dev/null 2>&1
