import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeConnections, unreachable, type FakeHost } from '../../../support/fake-hosts.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
  await writeFile(join(fleet.cwd, 'netops'), 'netops')
  await writeFile(join(fleet.cwd, 'network_server'), 'server')
})
afterAll(() => fleet.remove())

const empty: FakeHost = {
  commands: [
    [/^uname -sm$/, { stdout: 'Linux x86_64\n' }],
    [/^env TZ=UTC systemctl show /, { stdout: 'LoadState=not-found\nActiveState=inactive\n' }],
    [/^getent passwd /, { code: 2 }],
    [/^cat \/proc\/net\/tcp /, { stdout: '' }],
    [/^df /, { code: 0, stdout: 'Avail\n50000000000\n' }],
    [/getconf GNU_LIBC_VERSION/, { stdout: 'glibc 2.36\nsystemd\n' }],
    [/^date \+%s$/, { stdout: '1795430000\n' }],
    [/^find .* -printf /, { stdout: '' }],
    [/^find .*run\.json/, { stdout: '' }],
  ],
}
const connections = fakeConnections({ web1: empty, web2: empty, db1: unreachable })
const netops = (words: string) => {
  const env = { NETOPS_EXECUTABLE: join(fleet.cwd, 'netops'), NETOPS_STATE_DIR: join(fleet.cwd, 'state') }
  return runCommand(words, { cwd: fleet.cwd, connections, env })
}
const steady = (text: string) =>
  text.replaceAll(fleet.cwd, 'FOLDER').replaceAll(/\d{8}T\d{6}Z-(\S+?)-[0-9a-f]{4}/g, 'RUN-$1')

describe('netops deploy --dry-run', () => {
  it('shows every command on every host, and changes nothing', async () => {
    const { exit, stdout, stderr } = await netops('deploy --dry-run --group edge')
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    expect(steady(stdout)).toMatchInlineSnapshot(`
      "web1: from here
        Push netops
            install -d -m 0755 /opt/network_system/netops/ef572d0f8ffc
            install -m 0600 /dev/null /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web1
            dd of=/opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web1 bs=1M conv=fsync status=none < FOLDER/netops  # 6 B
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web1 ef572d0f8ffca9e18a5fa20f79a32b9d29227e663f490415ffd94ab969336ca9
            chmod 0755 /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web1
            sync /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web1
            mv -T -- /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web1 /opt/network_system/netops/ef572d0f8ffc/netops
            sync /opt/network_system/netops/ef572d0f8ffc
        Take the host
            /opt/network_system/netops/ef572d0f8ffc/netops host lease take RUN-deploy --root / <<< '{"run":"RUN-deploy","reason":"deploy by root@vm","user":"root","host":"vm"}'
        Push the release (unversioned-b3eacd33433b)
            install -d -m 0700 /opt/network_system/incoming/RUN-deploy.web1
            install -m 0600 /dev/null /opt/network_system/incoming/RUN-deploy.web1/.network_server.netops-new-RUN-deploy.web1
            dd of=/opt/network_system/incoming/RUN-deploy.web1/.network_server.netops-new-RUN-deploy.web1 bs=1M conv=fsync status=none < FOLDER/network_server  # 6 B
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /opt/network_system/incoming/RUN-deploy.web1/.network_server.netops-new-RUN-deploy.web1 b3eacd33433b31b5252351032c9b3e7a2e7aa7738d5decdf0dd6c62680853c06
            chmod 0755 /opt/network_system/incoming/RUN-deploy.web1/.network_server.netops-new-RUN-deploy.web1
            sync /opt/network_system/incoming/RUN-deploy.web1/.network_server.netops-new-RUN-deploy.web1
            mv -T -- /opt/network_system/incoming/RUN-deploy.web1/.network_server.netops-new-RUN-deploy.web1 /opt/network_system/incoming/RUN-deploy.web1/network_server
            sync /opt/network_system/incoming/RUN-deploy.web1
        Push the configuration
            install -d -m 0700 /opt/network_system/incoming/RUN-deploy.web1
            install -m 0600 /dev/null /opt/network_system/incoming/RUN-deploy.web1/.config.yaml.netops-new-RUN-deploy.web1
            dd of=/opt/network_system/incoming/RUN-deploy.web1/.config.yaml.netops-new-RUN-deploy.web1 bs=1M conv=fsync status=none < FOLDER/config.yaml  # 23 B
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /opt/network_system/incoming/RUN-deploy.web1/.config.yaml.netops-new-RUN-deploy.web1 c204ab4818caa77e49c187f1e4493b49e5a410791658a936c7dc591180e68881
            chmod 0600 /opt/network_system/incoming/RUN-deploy.web1/.config.yaml.netops-new-RUN-deploy.web1
            sync /opt/network_system/incoming/RUN-deploy.web1/.config.yaml.netops-new-RUN-deploy.web1
            mv -T -- /opt/network_system/incoming/RUN-deploy.web1/.config.yaml.netops-new-RUN-deploy.web1 /opt/network_system/incoming/RUN-deploy.web1/config.yaml
            sync /opt/network_system/incoming/RUN-deploy.web1
        Activate it on the host
            /opt/network_system/netops/ef572d0f8ffc/netops host start RUN-deploy.web1 --root / < (the request)
            /opt/network_system/netops/ef572d0f8ffc/netops runs follow RUN-deploy.web1 --jsonl --root / --from 1
        Give the host back
            /opt/network_system/netops/ef572d0f8ffc/netops host lease give-back RUN-deploy --root /
      web1: by its own netops
        Check the configuration with the new release
        Prepare the service account and folders
            install -d -m 0755 -o root -g root /etc/netops
            install -m 0600 /dev/null /etc/netops/.environment.netops-new
            dd of=/etc/netops/.environment.netops-new bs=1M conv=fsync status=none <<< staging
            chown root /etc/netops/.environment.netops-new
            chmod 0644 /etc/netops/.environment.netops-new
            sync /etc/netops/.environment.netops-new
            mv -T -- /etc/netops/.environment.netops-new /etc/netops/environment
            sync /etc/netops
            useradd -r -s /bin/false network_service
            install -d -m 0755 -o root -g root /opt/network_system/releases
            install -d -m 0755 -o root -g root /usr/local/bin
            install -d -m 0755 -o root -g root /etc/network_system
            install -d -m 0750 -o network_service -g network_service /var/lib/network_system
            install -d -m 0750 -o network_service -g network_service /var/log/network
            install -d -m 0755 -o network_service -g network_service /var/run/network_service
        Back up the current configuration (unchanged)
        Deploy the new binaries (unversioned-b3eacd33433b)
            install -d -m 0755 -o root -g root /opt/network_system/releases/unversioned-b3eacd33433b
            install -m 0600 /dev/null /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new
            cp --reflink=auto -- /opt/network_system/incoming/RUN-deploy.web1/network_server /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new b3eacd33433b31b5252351032c9b3e7a2e7aa7738d5decdf0dd6c62680853c06
            chown root /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new
            chmod 0755 /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new
            sync /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new
            mv -T -- /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new /opt/network_system/releases/unversioned-b3eacd33433b/network_server
            sync /opt/network_system/releases/unversioned-b3eacd33433b
        Stop the service gracefully (unchanged)
        Switch to unversioned-b3eacd33433b
            ln -sfn -- releases/unversioned-b3eacd33433b /opt/network_system/.current.netops-new
            mv -T -- /opt/network_system/.current.netops-new /opt/network_system/current
            sync /opt/network_system
            ln -sfn -- /opt/network_system/current/network_server /usr/local/bin/.network_server.netops-new
            mv -T -- /usr/local/bin/.network_server.netops-new /usr/local/bin/network_server
            sync /usr/local/bin
        Update the configuration
            install -m 0600 /dev/null /etc/network_system/.config.yaml.netops-new
            cp --reflink=auto -- /opt/network_system/incoming/RUN-deploy.web1/config.yaml /etc/network_system/.config.yaml.netops-new
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /etc/network_system/.config.yaml.netops-new c204ab4818caa77e49c187f1e4493b49e5a410791658a936c7dc591180e68881
            chown root:network_service /etc/network_system/.config.yaml.netops-new
            chmod 0640 /etc/network_system/.config.yaml.netops-new
            sync /etc/network_system/.config.yaml.netops-new
            mv -T -- /etc/network_system/.config.yaml.netops-new /etc/network_system/config.yaml
            sync /etc/network_system
        Install the systemd unit
            install -m 0600 /dev/null /etc/systemd/system/.network_service.service.netops-new
            dd of=/etc/systemd/system/.network_service.service.netops-new bs=1M conv=fsync status=none < (31 lines)
            chown root /etc/systemd/system/.network_service.service.netops-new
            chmod 0644 /etc/systemd/system/.network_service.service.netops-new
            sync /etc/systemd/system/.network_service.service.netops-new
            mv -T -- /etc/systemd/system/.network_service.service.netops-new /etc/systemd/system/network_service.service
            sync /etc/systemd/system
            install -m 0600 /dev/null /etc/tmpfiles.d/.network_service.conf.netops-new
            dd of=/etc/tmpfiles.d/.network_service.conf.netops-new bs=1M conv=fsync status=none < (2 lines)
            chown root /etc/tmpfiles.d/.network_service.conf.netops-new
            chmod 0644 /etc/tmpfiles.d/.network_service.conf.netops-new
            sync /etc/tmpfiles.d/.network_service.conf.netops-new
            mv -T -- /etc/tmpfiles.d/.network_service.conf.netops-new /etc/tmpfiles.d/network_service.conf
            sync /etc/tmpfiles.d
            systemctl daemon-reload
            systemctl enable --quiet network_service
        Start the service
            systemctl reset-failed network_service
            systemctl start network_service
        Verify that the service is healthy
            (wait) until http://127.0.0.1:8080/health/ready is 200 from unversioned-b3eacd33433b within 2 min 0 s, held for 10.0 s
        Record the activation
            install -d -m 0700 /var/lib/netops/history/RUN-deploy.web1
            install -m 0600 /dev/null /var/lib/netops/history/RUN-deploy.web1/.config.yaml.netops-new
            cp --reflink=auto -- /etc/network_system/config.yaml /var/lib/netops/history/RUN-deploy.web1/.config.yaml.netops-new
            chmod 0600 /var/lib/netops/history/RUN-deploy.web1/.config.yaml.netops-new
            sync /var/lib/netops/history/RUN-deploy.web1/.config.yaml.netops-new
            mv -T -- /var/lib/netops/history/RUN-deploy.web1/.config.yaml.netops-new /var/lib/netops/history/RUN-deploy.web1/config.yaml
            sync /var/lib/netops/history/RUN-deploy.web1
            install -m 0600 /dev/null /var/lib/netops/history/RUN-deploy.web1/.activation.json.netops-new
            dd of=/var/lib/netops/history/RUN-deploy.web1/.activation.json.netops-new bs=1M conv=fsync status=none <<< '{"schema":"netops/activation/v1","id":"RUN-deploy.web1","reason":"deploy","release":{"id":"unversioned-b3eacd33433b","version":"unversioned","sha256":"b3eacd33433b31b5252351032c9b3e7a2e7aa7738d5decdf0dd6c62680853c06","size":6},"configSha256":"c204ab4818caa77e49c187f1e4493b49e5a410791658a936c7dc591180e68881","endpoints":{"readyUrl":"http://127.0.0.1:8080/health/ready","healthUrl":"http://127.0.0.1:8080/health","ports":[8080,9090]},"checksConfig":false}'
            chmod 0600 /var/lib/netops/history/RUN-deploy.web1/.activation.json.netops-new
            sync /var/lib/netops/history/RUN-deploy.web1/.activation.json.netops-new
            mv -T -- /var/lib/netops/history/RUN-deploy.web1/.activation.json.netops-new /var/lib/netops/history/RUN-deploy.web1/activation.json
            sync /var/lib/netops/history/RUN-deploy.web1
            ln -sfn -- /opt/network_system/netops/ef572d0f8ffc/netops /usr/local/bin/.netops.netops-new
            mv -T -- /usr/local/bin/.netops.netops-new /usr/local/bin/netops
            sync /usr/local/bin
        Remove what is no longer needed
            rm -rf -- /opt/network_system/incoming/RUN-deploy.web1

      web2: from here
        Push netops
            install -d -m 0755 /opt/network_system/netops/ef572d0f8ffc
            install -m 0600 /dev/null /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web2
            dd of=/opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web2 bs=1M conv=fsync status=none < FOLDER/netops  # 6 B
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web2 ef572d0f8ffca9e18a5fa20f79a32b9d29227e663f490415ffd94ab969336ca9
            chmod 0755 /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web2
            sync /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web2
            mv -T -- /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-deploy.web2 /opt/network_system/netops/ef572d0f8ffc/netops
            sync /opt/network_system/netops/ef572d0f8ffc
        Take the host
            /opt/network_system/netops/ef572d0f8ffc/netops host lease take RUN-deploy --root / <<< '{"run":"RUN-deploy","reason":"deploy by root@vm","user":"root","host":"vm"}'
        Push the release (unversioned-b3eacd33433b)
            install -d -m 0700 /opt/network_system/incoming/RUN-deploy.web2
            install -m 0600 /dev/null /opt/network_system/incoming/RUN-deploy.web2/.network_server.netops-new-RUN-deploy.web2
            dd of=/opt/network_system/incoming/RUN-deploy.web2/.network_server.netops-new-RUN-deploy.web2 bs=1M conv=fsync status=none < FOLDER/network_server  # 6 B
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /opt/network_system/incoming/RUN-deploy.web2/.network_server.netops-new-RUN-deploy.web2 b3eacd33433b31b5252351032c9b3e7a2e7aa7738d5decdf0dd6c62680853c06
            chmod 0755 /opt/network_system/incoming/RUN-deploy.web2/.network_server.netops-new-RUN-deploy.web2
            sync /opt/network_system/incoming/RUN-deploy.web2/.network_server.netops-new-RUN-deploy.web2
            mv -T -- /opt/network_system/incoming/RUN-deploy.web2/.network_server.netops-new-RUN-deploy.web2 /opt/network_system/incoming/RUN-deploy.web2/network_server
            sync /opt/network_system/incoming/RUN-deploy.web2
        Push the configuration
            install -d -m 0700 /opt/network_system/incoming/RUN-deploy.web2
            install -m 0600 /dev/null /opt/network_system/incoming/RUN-deploy.web2/.config.yaml.netops-new-RUN-deploy.web2
            dd of=/opt/network_system/incoming/RUN-deploy.web2/.config.yaml.netops-new-RUN-deploy.web2 bs=1M conv=fsync status=none < FOLDER/state/runs/RUN-deploy/rendered/web2.yaml  # 125 B
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /opt/network_system/incoming/RUN-deploy.web2/.config.yaml.netops-new-RUN-deploy.web2 ddf64de86637c131fce2144ea7b4b3c2758f4b46c71dab0c9f8dfc7e3ed12ca6
            chmod 0600 /opt/network_system/incoming/RUN-deploy.web2/.config.yaml.netops-new-RUN-deploy.web2
            sync /opt/network_system/incoming/RUN-deploy.web2/.config.yaml.netops-new-RUN-deploy.web2
            mv -T -- /opt/network_system/incoming/RUN-deploy.web2/.config.yaml.netops-new-RUN-deploy.web2 /opt/network_system/incoming/RUN-deploy.web2/config.yaml
            sync /opt/network_system/incoming/RUN-deploy.web2
        Activate it on the host
            /opt/network_system/netops/ef572d0f8ffc/netops host start RUN-deploy.web2 --root / < (the request)
            /opt/network_system/netops/ef572d0f8ffc/netops runs follow RUN-deploy.web2 --jsonl --root / --from 1
        Give the host back
            /opt/network_system/netops/ef572d0f8ffc/netops host lease give-back RUN-deploy --root /
      web2: by its own netops
        Check the configuration with the new release
        Prepare the service account and folders
            install -d -m 0755 -o root -g root /etc/netops
            install -m 0600 /dev/null /etc/netops/.environment.netops-new
            dd of=/etc/netops/.environment.netops-new bs=1M conv=fsync status=none <<< staging
            chown root /etc/netops/.environment.netops-new
            chmod 0644 /etc/netops/.environment.netops-new
            sync /etc/netops/.environment.netops-new
            mv -T -- /etc/netops/.environment.netops-new /etc/netops/environment
            sync /etc/netops
            useradd -r -s /bin/false network_service
            install -d -m 0755 -o root -g root /opt/network_system/releases
            install -d -m 0755 -o root -g root /usr/local/bin
            install -d -m 0755 -o root -g root /etc/network_system
            install -d -m 0750 -o network_service -g network_service /var/lib/network_system
            install -d -m 0750 -o network_service -g network_service /var/log/network
            install -d -m 0755 -o network_service -g network_service /var/run/network_service
        Back up the current configuration (unchanged)
        Deploy the new binaries (unversioned-b3eacd33433b)
            install -d -m 0755 -o root -g root /opt/network_system/releases/unversioned-b3eacd33433b
            install -m 0600 /dev/null /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new
            cp --reflink=auto -- /opt/network_system/incoming/RUN-deploy.web2/network_server /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new b3eacd33433b31b5252351032c9b3e7a2e7aa7738d5decdf0dd6c62680853c06
            chown root /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new
            chmod 0755 /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new
            sync /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new
            mv -T -- /opt/network_system/releases/unversioned-b3eacd33433b/.network_server.netops-new /opt/network_system/releases/unversioned-b3eacd33433b/network_server
            sync /opt/network_system/releases/unversioned-b3eacd33433b
        Stop the service gracefully (unchanged)
        Switch to unversioned-b3eacd33433b
            ln -sfn -- releases/unversioned-b3eacd33433b /opt/network_system/.current.netops-new
            mv -T -- /opt/network_system/.current.netops-new /opt/network_system/current
            sync /opt/network_system
            ln -sfn -- /opt/network_system/current/network_server /usr/local/bin/.network_server.netops-new
            mv -T -- /usr/local/bin/.network_server.netops-new /usr/local/bin/network_server
            sync /usr/local/bin
        Update the configuration
            install -m 0600 /dev/null /etc/network_system/.config.yaml.netops-new
            cp --reflink=auto -- /opt/network_system/incoming/RUN-deploy.web2/config.yaml /etc/network_system/.config.yaml.netops-new
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /etc/network_system/.config.yaml.netops-new ddf64de86637c131fce2144ea7b4b3c2758f4b46c71dab0c9f8dfc7e3ed12ca6
            chown root:network_service /etc/network_system/.config.yaml.netops-new
            chmod 0640 /etc/network_system/.config.yaml.netops-new
            sync /etc/network_system/.config.yaml.netops-new
            mv -T -- /etc/network_system/.config.yaml.netops-new /etc/network_system/config.yaml
            sync /etc/network_system
        Install the systemd unit
            install -m 0600 /dev/null /etc/systemd/system/.network_service.service.netops-new
            dd of=/etc/systemd/system/.network_service.service.netops-new bs=1M conv=fsync status=none < (31 lines)
            chown root /etc/systemd/system/.network_service.service.netops-new
            chmod 0644 /etc/systemd/system/.network_service.service.netops-new
            sync /etc/systemd/system/.network_service.service.netops-new
            mv -T -- /etc/systemd/system/.network_service.service.netops-new /etc/systemd/system/network_service.service
            sync /etc/systemd/system
            install -m 0600 /dev/null /etc/tmpfiles.d/.network_service.conf.netops-new
            dd of=/etc/tmpfiles.d/.network_service.conf.netops-new bs=1M conv=fsync status=none < (2 lines)
            chown root /etc/tmpfiles.d/.network_service.conf.netops-new
            chmod 0644 /etc/tmpfiles.d/.network_service.conf.netops-new
            sync /etc/tmpfiles.d/.network_service.conf.netops-new
            mv -T -- /etc/tmpfiles.d/.network_service.conf.netops-new /etc/tmpfiles.d/network_service.conf
            sync /etc/tmpfiles.d
            systemctl daemon-reload
            systemctl enable --quiet network_service
        Start the service
            systemctl reset-failed network_service
            systemctl start network_service
        Verify that the service is healthy
            (wait) until http://127.0.0.1:8081/health/ready is 200 from unversioned-b3eacd33433b within 2 min 0 s, held for 10.0 s
        Record the activation
            install -d -m 0700 /var/lib/netops/history/RUN-deploy.web2
            install -m 0600 /dev/null /var/lib/netops/history/RUN-deploy.web2/.config.yaml.netops-new
            cp --reflink=auto -- /etc/network_system/config.yaml /var/lib/netops/history/RUN-deploy.web2/.config.yaml.netops-new
            chmod 0600 /var/lib/netops/history/RUN-deploy.web2/.config.yaml.netops-new
            sync /var/lib/netops/history/RUN-deploy.web2/.config.yaml.netops-new
            mv -T -- /var/lib/netops/history/RUN-deploy.web2/.config.yaml.netops-new /var/lib/netops/history/RUN-deploy.web2/config.yaml
            sync /var/lib/netops/history/RUN-deploy.web2
            install -m 0600 /dev/null /var/lib/netops/history/RUN-deploy.web2/.activation.json.netops-new
            dd of=/var/lib/netops/history/RUN-deploy.web2/.activation.json.netops-new bs=1M conv=fsync status=none <<< '{"schema":"netops/activation/v1","id":"RUN-deploy.web2","reason":"deploy","release":{"id":"unversioned-b3eacd33433b","version":"unversioned","sha256":"b3eacd33433b31b5252351032c9b3e7a2e7aa7738d5decdf0dd6c62680853c06","size":6},"configSha256":"ddf64de86637c131fce2144ea7b4b3c2758f4b46c71dab0c9f8dfc7e3ed12ca6","endpoints":{"readyUrl":"http://127.0.0.1:8081/health/ready","healthUrl":"http://127.0.0.1:8081/health","ports":[8081,9090]},"checksConfig":false}'
            chmod 0600 /var/lib/netops/history/RUN-deploy.web2/.activation.json.netops-new
            sync /var/lib/netops/history/RUN-deploy.web2/.activation.json.netops-new
            mv -T -- /var/lib/netops/history/RUN-deploy.web2/.activation.json.netops-new /var/lib/netops/history/RUN-deploy.web2/activation.json
            sync /var/lib/netops/history/RUN-deploy.web2
            ln -sfn -- /opt/network_system/netops/ef572d0f8ffc/netops /usr/local/bin/.netops.netops-new
            mv -T -- /usr/local/bin/.netops.netops-new /usr/local/bin/netops
            sync /usr/local/bin
        Remove what is no longer needed
            rm -rf -- /opt/network_system/incoming/RUN-deploy.web2

      Dry run: nothing was changed.
      "
    `)
    expect(connections.open()).toBe(0)
  })

  it('fails where a host cannot be reached', async () => {
    const { exit, stdout, stderr } = await netops('deploy --dry-run')
    expect({ exit, stdout }).toEqual({ exit: 4, stdout: '' })
    expect(stderr).toMatchInlineSnapshot(`
      "netops: db1: connection refused
        hint: is its sshd running?; or go on without it: --max-failures 1
      "
    `)
  })
})

describe('netops gc --dry-run', () => {
  it('shows what it would remove', async () => {
    const { exit, stdout, stderr } = await netops('gc --dry-run --hosts web1,web2')
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    expect(steady(stdout)).toMatchInlineSnapshot(`
      "web1: from here
        Push netops
            install -d -m 0755 /opt/network_system/netops/ef572d0f8ffc
            install -m 0600 /dev/null /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1
            dd of=/opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1 bs=1M conv=fsync status=none < FOLDER/netops  # 6 B
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1 ef572d0f8ffca9e18a5fa20f79a32b9d29227e663f490415ffd94ab969336ca9
            chmod 0755 /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1
            sync /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1
            mv -T -- /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1 /opt/network_system/netops/ef572d0f8ffc/netops
            sync /opt/network_system/netops/ef572d0f8ffc
        Take the host
            /opt/network_system/netops/ef572d0f8ffc/netops host lease take RUN-gc --root / <<< '{"run":"RUN-gc","reason":"gc by root@vm","user":"root","host":"vm"}'
        Clean up the host
            /opt/network_system/netops/ef572d0f8ffc/netops host start RUN-gc.web1 --root / < (the request)
            /opt/network_system/netops/ef572d0f8ffc/netops runs follow RUN-gc.web1 --jsonl --root / --from 1
        Give the host back
            /opt/network_system/netops/ef572d0f8ffc/netops host lease give-back RUN-gc --root /
      web1: by its own netops
        Remove 0 old runs (unchanged)
        Remove netops builds that no run needs (unchanged)
        Remove 0 leftovers (unchanged)

      web2: from here
        Push netops
            install -d -m 0755 /opt/network_system/netops/ef572d0f8ffc
            install -m 0600 /dev/null /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web2
            dd of=/opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web2 bs=1M conv=fsync status=none < FOLDER/netops  # 6 B
            sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0") && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }' /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web2 ef572d0f8ffca9e18a5fa20f79a32b9d29227e663f490415ffd94ab969336ca9
            chmod 0755 /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web2
            sync /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web2
            mv -T -- /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web2 /opt/network_system/netops/ef572d0f8ffc/netops
            sync /opt/network_system/netops/ef572d0f8ffc
        Take the host
            /opt/network_system/netops/ef572d0f8ffc/netops host lease take RUN-gc --root / <<< '{"run":"RUN-gc","reason":"gc by root@vm","user":"root","host":"vm"}'
        Clean up the host
            /opt/network_system/netops/ef572d0f8ffc/netops host start RUN-gc.web2 --root / < (the request)
            /opt/network_system/netops/ef572d0f8ffc/netops runs follow RUN-gc.web2 --jsonl --root / --from 1
        Give the host back
            /opt/network_system/netops/ef572d0f8ffc/netops host lease give-back RUN-gc --root /
      web2: by its own netops
        Remove 0 old runs (unchanged)
        Remove netops builds that no run needs (unchanged)
        Remove 0 leftovers (unchanged)

      Dry run: nothing was changed.
      would remove 0 old runs of this machine
      "
    `)
    expect(steady((await netops('gc --dry-run --hosts web1 --json')).json)).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"gc","ok":true,"outcome":"done","dryRun":true,"hosts":[{"host":"web1","push":[{"id":"web1/netops","title":"Push netops","unchanged":false,"effects":[{"kind":"directory","path":"/opt/network_system/netops/ef572d0f8ffc","mode":"0755"},{"kind":"push","from":"FOLDER/netops","path":"/opt/network_system/netops/ef572d0f8ffc/netops","mode":"0755","sha256":"ef572d0f8ffca9e18a5fa20f79a32b9d29227e663f490415ffd94ab969336ca9","size":6,"run":"RUN-gc.web1"}],"undo":[],"commands":["install -d -m 0755 /opt/network_system/netops/ef572d0f8ffc","install -m 0600 /dev/null /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1","dd of=/opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1 bs=1M conv=fsync status=none < FOLDER/netops  # 6 B","sh -c 'sum=$(openssl dgst -sha256 -r 2> /dev/null < \\"$0\\" || sha256sum < \\"$0\\") && [ \\"\${sum%% *}\\" = \\"$1\\" ] || { echo \\"its SHA-256 is \${sum%% *}\\" >&2; exit 1; }' /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1 ef572d0f8ffca9e18a5fa20f79a32b9d29227e663f490415ffd94ab969336ca9","chmod 0755 /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1","sync /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1","mv -T -- /opt/network_system/netops/ef572d0f8ffc/.netops.netops-new-RUN-gc.web1 /opt/network_system/netops/ef572d0f8ffc/netops","sync /opt/network_system/netops/ef572d0f8ffc"]},{"id":"web1/lease","title":"Take the host","unchanged":false,"effects":[{"kind":"lease","action":"take","run":"RUN-gc","reason":"gc by root@vm","netops":"/opt/network_system/netops/ef572d0f8ffc/netops","root":"/"}],"undo":[],"commands":["/opt/network_system/netops/ef572d0f8ffc/netops host lease take RUN-gc --root / <<< '{\\"run\\":\\"RUN-gc\\",\\"reason\\":\\"gc by root@vm\\",\\"user\\":\\"root\\",\\"host\\":\\"vm\\"}'"]},{"id":"web1/gc","title":"Clean up the host","unchanged":false,"effects":[{"kind":"host-run","run":"RUN-gc.web1","netops":"/opt/network_system/netops/ef572d0f8ffc/netops","root":"/","input":{"procedure":"gc","run":"RUN-gc.web1","host":"web1","root":"/","manager":"systemd","netops":"/opt/network_system/netops/ef572d0f8ffc/netops","fleet":"RUN-gc","olderThanMs":2592000000,"keepRuns":100,"shown":{"sha256":"df3d2ec80c2ef9b8b14819616a20ce87f315e52d067f6501e1b94904d7ba657f","steps":{}}}}],"undo":[{"kind":"undo-host-run","run":"RUN-gc.web1","netops":"/opt/network_system/netops/ef572d0f8ffc/netops","root":"/"}],"commands":["/opt/network_system/netops/ef572d0f8ffc/netops host start RUN-gc.web1 --root / < (the request)","/opt/network_system/netops/ef572d0f8ffc/netops runs follow RUN-gc.web1 --jsonl --root / --from 1"]},{"id":"web1/give-back","title":"Give the host back","unchanged":false,"effects":[{"kind":"lease","action":"give-back","run":"RUN-gc","reason":"gc by root@vm","netops":"/opt/network_system/netops/ef572d0f8ffc/netops","root":"/"}],"undo":[],"commands":["/opt/network_system/netops/ef572d0f8ffc/netops host lease give-back RUN-gc --root /"]}],"gc":[{"id":"journals","title":"Remove 0 old runs","unchanged":true,"effects":[],"undo":[],"commands":[]},{"id":"builds","title":"Remove netops builds that no run needs","unchanged":true,"effects":[],"undo":[],"commands":[]},{"id":"litter","title":"Remove 0 leftovers","unchanged":true,"effects":[],"undo":[],"commands":[]}]}],"ownRuns":[]}"`,
    )
  })
})

describe('netops runs', () => {
  it('lists what was run from here', async () => {
    expect(steady((await netops('runs list')).stdout)).toMatchInlineSnapshot(`
      "no runs in FOLDER/state/runs
      "
    `)
    expect(steady((await netops('runs show RUN')).stderr)).toMatchInlineSnapshot(`
      "netops: there is no run RUN in FOLDER/state/runs
        hint: netops runs list shows them
      "
    `)
  })
})
