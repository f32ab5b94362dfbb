# Builds the base image of the lab: build-base.sh FINAL SUITE MIRROR KEYRING CA PACKAGES FINISH
# Run under one lock. A tree gets its final name only when it is whole: a half-built one is never taken for good.
set -eu
umask 022
final=$1 suite=$2 mirror=$3 keyring=$4 ca=$5 packages=$6 finish=$7
new="$final.building"

if [ -d "$final" ]; then exit 0; fi
rm -rf "$new"
mkdir "$new"

# debootstrap downloads with wget, which knows nothing of apt's settings.
if [ -n "$ca" ]; then
  printf 'ca_certificate = %s\n' "$ca" > "$final.wgetrc"
  export WGETRC="$final.wgetrc"
fi

if ! debootstrap --variant=minbase --include="$packages" ${keyring:+--keyring="$keyring"} \
  "$suite" "$new" "$mirror" > "$final.log" 2>&1; then
  tail -n 4 "$final.log" >&2
  echo "all of it: $final.log" >&2
  exit 1
fi
chroot "$new" sh -c "$finish" > "$final.log" 2>&1
sync -f "$new"
mv -T "$new" "$final"
rm -f "$final.wgetrc" "$final.log"
