# Boots one lab host and stays as its keeper: boot-host.sh LAB HOST MACHINE GROUP BASE INSIDE
# The keeper's end is the host's end: its mounts and processes live in namespaces that die with it.
set -eu
lab=$1 host=$2 machine=$3 group=$4 base=$5 inside=$6
folder="$lab/hosts/$host"
exec >> "$folder/console.log" 2>&1 < /dev/null

# Who we are, before we start anything: number, start time (field 22 of stat, proc(5)) and boot.
# The shell's number and start time stay the same through every exec below.
stat=$(cat "/proc/$$/stat")
# shellcheck disable=SC2086 # splitting into fields is the point
set -- ${stat##*) }
printf '{"pid":%s,"startTime":"%s","bootId":"%s"}\n' $$ "${20}" "$(cat /proc/sys/kernel/random/boot_id)" > "$folder/keeper.new"
sync "$folder/keeper.new"
mv "$folder/keeper.new" "$folder/keeper.json"
# Whoever takes the lab down leaves this mark first and reads keepers second: either it sees us or we see it.
if [ -e "$lab/stopping" ]; then exit 0; fi

exec nsenter --net="$lab/net" unshare --mount --propagation private \
  sh -c "$inside" inside-host "$folder" "$host" "$machine" "$group" "$base"
