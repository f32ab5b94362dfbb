# Waits until a lab's control groups hold no process, then removes them: remove-groups.sh MOUNT_POINT GROUP
# Run in a mount namespace of its own.
set -eu
mount -t cgroup2 cgroup2 "$1"
group="$1/$2"
if [ ! -d "$group" ]; then exit 0; fi
waits=0
while grep -q '^populated 1' "$group/cgroup.events"; do
  waits=$((waits + 1))
  # Nothing but what the lab's keepers started is in these groups. Their end is normally enough.
  if [ $waits -eq 40 ] && [ -e "$group/cgroup.kill" ]; then echo 1 > "$group/cgroup.kill"; fi
  if [ $waits -gt 200 ]; then
    echo "processes of the lab are still there: $(find "$group" -name cgroup.procs -exec cat {} + | tr '\n' ' ')" >&2
    exit 1
  fi
  sleep 0.05
done
find "$group" -depth -type d -exec rmdir {} +
# The last lab takes the common parent with it; others still need it.
rmdir "${group%/*}" 2> /dev/null || true
