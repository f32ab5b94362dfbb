// For each alert a case in which it fires and one in which it just does not, as `promtool test rules` takes them.

type Series = Readonly<Record<string, string>>

interface Case {
  /** Values a minute apart, in promtool's notation; labels beside job and host in braces. */
  readonly series: Series
  readonly at: string
}

export interface AlertCase {
  readonly fires: Case & {
    readonly severity: 'warning' | 'critical'
    /** Labels beside job, host and severity. */
    readonly labels?: Readonly<Record<string, string>>
    readonly summary: string
    readonly runbook: string
  }
  readonly quiet: Case
}

const logs = 'netops logs --hosts web1 --since 15m'
const route = 'route="/v1/records/{collection}/{key}"'

export const alertCases: Readonly<Record<string, AlertCase>> = {
  Down: {
    fires: {
      ...{ series: { up: '0x5' }, at: '2m', severity: 'critical' },
      ...{ summary: 'web1 does not answer Prometheus', runbook: 'netops status --hosts web1' },
    },
    quiet: { series: { up: '0 1x5' }, at: '2m' },
  },
  Unhealthy: {
    fires: {
      ...{ series: { 'network_health_check{check="disk"}': '0x5' }, at: '3m', severity: 'critical' },
      labels: { check: 'disk' },
      ...{ summary: 'web1 fails its check disk', runbook: 'netops health --hosts web1' },
    },
    quiet: { series: { 'network_health_check{check="disk"}': '0 0 1x5' }, at: '3m' },
  },
  Restarting: {
    fires: {
      ...{ series: { process_start_time_seconds: '1 2 3 4x10' }, at: '10m', severity: 'critical' },
      ...{ summary: 'web1 was started 3 times within 15 minutes', runbook: logs },
    },
    quiet: { series: { process_start_time_seconds: '1 2 3x10' }, at: '10m' },
  },
  Failing: {
    fires: {
      series: {
        network_maintenance: '0x20',
        [`network_responses_total{method="GET",${route},status="5xx"}`]: '0+6x20',
        [`network_responses_total{method="GET",${route},status="2xx"}`]: '0+54x20',
      },
      ...{ at: '15m', severity: 'critical', summary: 'web1 answers 10% of its requests with 5xx', runbook: logs },
    },
    quiet: {
      series: {
        'network_responses_total{method="GET",route="/health/ready",status="5xx"}': '0+60x20',
        [`network_responses_total{method="GET",${route},status="5xx"}`]: '0+3x20',
        [`network_responses_total{method="GET",${route},status="2xx"}`]: '0+57x20',
      },
      at: '15m',
    },
  },
  Slow: {
    fires: {
      series: {
        network_requests_total: '0+120x30',
        'network_response_time_seconds_bucket{le="1"}': '0x30',
        'network_response_time_seconds_bucket{le="2.5"}': '0+120x30',
        'network_response_time_seconds_bucket{le="+Inf"}': '0+120x30',
      },
      ...{ at: '20m', severity: 'warning', summary: 'web1 takes 2.485s for a request in a hundred', runbook: logs },
    },
    // One slow request in two seconds is no crowd.
    quiet: {
      series: {
        network_requests_total: '0+30x30',
        'network_response_time_seconds_bucket{le="1"}': '0x30',
        'network_response_time_seconds_bucket{le="2.5"}': '0+30x30',
        'network_response_time_seconds_bucket{le="+Inf"}': '0+30x30',
      },
      at: '20m',
    },
  },
  ConnectionsNearLimit: {
    fires: {
      series: { network_connections_active: '950x20', network_connections_limit: '1000x20' },
      ...{ at: '10m', severity: 'warning', summary: 'web1 has 95% of server.max_connections open' },
      runbook: 'netops tune plan --hosts web1',
    },
    quiet: { series: { network_connections_active: '900x20', network_connections_limit: '1000x20' }, at: '10m' },
  },
  ConnectionsRefused: {
    fires: {
      ...{ series: { network_connections_refused_total: '0+120x20' }, at: '10m', severity: 'critical' },
      ...{ summary: 'web1 turns connections away, 2 a second', runbook: 'netops tune plan --hosts web1' },
    },
    quiet: { series: { network_connections_refused_total: '120x20' }, at: '10m' },
  },
  FilesNearLimit: {
    fires: {
      ...{ series: { process_open_fds: '900x20', process_max_fds: '1000x20' }, at: '10m', severity: 'warning' },
      ...{ summary: 'web1 has 90% of the files open that it may', runbook: 'netops tune verify --hosts web1' },
    },
    quiet: { series: { process_open_fds: '800x20', process_max_fds: '1000x20' }, at: '10m' },
  },
  MemoryNearLimit: {
    fires: {
      series: { 'network_memory_bytes{kind="rss"}': '900x20', network_memory_limit_bytes: '1000x20' },
      ...{ at: '15m', severity: 'warning', summary: 'web1 holds 90% of the memory that it may' },
      runbook: 'netops tune plan --hosts web1',
    },
    quiet: {
      series: {
        'network_memory_bytes{kind="rss"}': '800x20',
        'network_memory_bytes{kind="heap"}': '700x20',
        network_memory_limit_bytes: '1000x20',
      },
      at: '15m',
    },
  },
  HeapNearLimit: {
    fires: {
      series: {
        'network_heap_bytes{thread="1",kind="used"}': '900x20',
        'network_heap_bytes{thread="1",kind="limit"}': '1000x20',
      },
      ...{ at: '10m', severity: 'critical', labels: { thread: '1' } },
      ...{ summary: 'web1 uses 90% of the heap of its thread 1', runbook: logs },
    },
    quiet: {
      series: {
        'network_heap_bytes{thread="1",kind="used"}': '800x20',
        'network_heap_bytes{thread="1",kind="limit"}': '1000x20',
      },
      at: '10m',
    },
  },
  ProcessorsBusy: {
    fires: {
      series: {
        'network_cpu_seconds_total{core="0",mode="idle"}': '0+3x40',
        'network_cpu_seconds_total{core="1",mode="idle"}': '0+3x40',
      },
      ...{ at: '25m', severity: 'warning', summary: 'web1 has its processors busy for 95% of the time' },
      runbook: 'netops tune plan --hosts web1',
    },
    quiet: {
      series: {
        'network_cpu_seconds_total{core="0",mode="idle"}': '0x40',
        'network_cpu_seconds_total{core="1",mode="idle"}': '0+30x40',
      },
      at: '25m',
    },
  },
  ThreadBusy: {
    fires: {
      series: {
        'network_event_loop_seconds_total{thread="2",state="active"}': '0+59x40',
        'network_event_loop_seconds_total{thread="2",state="idle"}': '0+1x40',
      },
      ...{ at: '20m', severity: 'warning', labels: { thread: '2' } },
      summary: 'web1 has its thread 2 at work for 98.33% of the time',
      runbook: 'netops tune plan --hosts web1',
    },
    quiet: {
      series: {
        'network_event_loop_seconds_total{thread="2",state="active"}': '0+54x40',
        'network_event_loop_seconds_total{thread="2",state="idle"}': '0+6x40',
      },
      at: '20m',
    },
  },
  ThreadLate: {
    fires: {
      series: {
        'network_event_loop_lag_seconds_bucket{thread="0",le="0.25"}': '0x20',
        'network_event_loop_lag_seconds_bucket{thread="0",le="0.5"}': '0+240x20',
        'network_event_loop_lag_seconds_bucket{thread="0",le="+Inf"}': '0+240x20',
      },
      ...{ at: '15m', severity: 'warning', labels: { thread: '0' } },
      ...{ summary: 'web1 keeps what its thread 0 has to do waiting for 497.5ms', runbook: logs },
    },
    quiet: {
      series: {
        'network_event_loop_lag_seconds_bucket{thread="0",le="0.25"}': '0+240x20',
        'network_event_loop_lag_seconds_bucket{thread="0",le="0.5"}': '0+240x20',
        'network_event_loop_lag_seconds_bucket{thread="0",le="+Inf"}': '0+240x20',
      },
      at: '15m',
    },
  },
  ThreadSilent: {
    fires: {
      ...{ series: { network_threads_silent: '1x10' }, at: '3m', severity: 'critical' },
      ...{ summary: 'web1 has 1 threads that do not answer', runbook: logs },
    },
    quiet: { series: { network_threads_silent: '1 0 1 0' }, at: '3m' },
  },
  PoolExhausted: {
    fires: {
      series: { 'network_pool_connections{state="waiting"}': '5x10', 'network_pool_connections{state="idle"}': '0x10' },
      ...{ at: '3m', severity: 'warning', labels: { state: 'waiting' } },
      summary: 'web1 has 5 requests waiting for a connection to the database',
      runbook: 'netops health --hosts web1',
    },
    quiet: {
      series: {
        'network_pool_connections{state="waiting"}': '5 0 5 0',
        'network_pool_connections{state="in_use"}': '20x3',
      },
      at: '3m',
    },
  },
  ReplicaLeftOut: {
    fires: {
      ...{ series: { 'network_store_replicas{state="left_out"}': '2x10' }, at: '6m', severity: 'warning' },
      labels: { state: 'left_out' },
      ...{ summary: 'web1 reads nothing from 2 replicas, which are away or behind', runbook: logs },
    },
    quiet: { series: { 'network_store_replicas{state="left_out"}': '1 1 0 1 1 1 1' }, at: '6m' },
  },
  QueueLong: {
    fires: {
      ...{ series: { 'network_queue_depth{queue="store"}': '200x20' }, at: '6m', severity: 'warning' },
      labels: { queue: 'store' },
      ...{ summary: 'web1 has 200 waiting in its queue store', runbook: 'netops health --hosts web1' },
    },
    quiet: { series: { 'network_queue_depth{queue="store"}': '100x20' }, at: '6m' },
  },
  DiskNearlyFull: {
    fires: {
      ...{ series: { 'network_disk_free_bytes{place="data"}': '536870912x30' }, at: '15m', severity: 'warning' },
      labels: { place: 'data' },
      ...{ summary: 'web1 has 512MiB left where it keeps its data', runbook: 'netops exec --hosts web1 -- df -h' },
    },
    quiet: { series: { 'network_disk_free_bytes{place="data"}': '1000000000x30' }, at: '15m' },
  },
  DiskFilling: {
    fires: {
      // A hundred gigabytes are gone within 20 hours.
      ...{ series: { 'network_disk_free_bytes{place="log"}': '100000000000-83333333x120' }, at: '90m' },
      ...{ severity: 'warning', labels: { place: 'log' } },
      summary: 'web1 will have no room within a day where it keeps its log',
      runbook: 'netops exec --hosts web1 -- df -h',
    },
    quiet: { series: { 'network_disk_free_bytes{place="log"}': '100000000000-60000000x120' }, at: '90m' },
  },
  CertificateExpiresSoon: {
    fires: {
      series: { 'network_certificate_expiry_timestamp_seconds{certificate="server"}': `${10 * 86_400}x90` },
      ...{ at: '70m', severity: 'warning', labels: { certificate: 'server' } },
      summary: 'web1 has a certificate (server) that is valid for 9d 22h 50m 0s more',
      runbook: 'netops deploy --hosts web1 --dry-run',
    },
    quiet: {
      series: { 'network_certificate_expiry_timestamp_seconds{certificate="server"}': `${15 * 86_400}x90` },
      at: '70m',
    },
  },
  CertificateExpiresNow: {
    fires: {
      series: { 'network_certificate_expiry_timestamp_seconds{certificate="server"}': '86400x20' },
      ...{ at: '10m', severity: 'critical', labels: { certificate: 'server' } },
      summary: 'web1 has a certificate (server) that is valid for 23h 50m 0s more',
      runbook: 'netops deploy --hosts web1 --dry-run',
    },
    quiet: {
      series: { 'network_certificate_expiry_timestamp_seconds{certificate="server"}': `${3 * 86_400}x20` },
      at: '10m',
    },
  },
  BackupOld: {
    fires: {
      ...{ series: { 'netops_backup_last_success_timestamp_seconds{kind="config"}': '-98400x20' }, at: '10m' },
      ...{ severity: 'critical', labels: { kind: 'config' }, summary: 'web1 has had no good backup for 1d 3h 30m 0s' },
      runbook: 'netops backup status --hosts web1',
    },
    quiet: { series: { 'netops_backup_last_success_timestamp_seconds{kind="config"}': '-90000x20' }, at: '10m' },
  },
  BackupNotVerified: {
    fires: {
      ...{ series: { 'netops_backup_last_verified_timestamp_seconds{kind="config"}': '-669000x20' }, at: '10m' },
      ...{ severity: 'warning', labels: { kind: 'config' } },
      summary: 'web1 has read no backup back for 7d 18h 0m 0s',
      runbook: 'netops backup verify --hosts web1',
    },
    quiet: { series: { 'netops_backup_last_verified_timestamp_seconds{kind="config"}': '-660000x20' }, at: '10m' },
  },
  BackupDamaged: {
    fires: {
      ...{ series: { 'netops_backups_damaged{kind="config"}': '2x20' }, at: '10m', severity: 'critical' },
      ...{ labels: { kind: 'config' }, summary: 'web1 has 2 backups that were found damaged' },
      runbook: 'netops backup list --hosts web1',
    },
    quiet: { series: { 'netops_backups_damaged{kind="config"}': '0x20' }, at: '10m' },
  },
  CheckpointOld: {
    fires: {
      series: {
        network_checkpoint_last_success_timestamp_seconds: '0x140',
        network_checkpoint_interval_seconds: '3600x140',
        process_start_time_seconds: '0x140',
      },
      ...{ at: '130m', severity: 'critical', summary: 'web1 has had no whole checkpoint for 2h 10m 0s' },
      runbook: 'netops checkpoint --hosts web1',
    },
    // Started a quarter of an hour ago: the first one is not due.
    quiet: {
      series: {
        network_checkpoint_last_success_timestamp_seconds: '0x140',
        network_checkpoint_interval_seconds: '3600x140',
        process_start_time_seconds: '7000x140',
      },
      at: '130m',
    },
  },
  LogLinesDropped: {
    fires: {
      series: { 'network_log_lines_dropped_total{output="udp://10.0.0.5:514"}': '0 0 5x10' },
      ...{ at: '5m', severity: 'warning', labels: { output: 'udp://10.0.0.5:514' } },
      summary: 'web1 lost lines of its logs that belong to udp://10.0.0.5:514',
      runbook: 'netops health --hosts web1',
    },
    quiet: { series: { 'network_log_lines_dropped_total{output="threads"}': '5x10' }, at: '5m' },
  },
  LogOutputFailing: {
    fires: {
      series: { 'network_log_output_failing{output="/var/log/network/server.log"}': '1x10' },
      ...{ at: '3m', severity: 'warning', labels: { output: '/var/log/network/server.log' } },
      summary: 'web1 cannot write its log to /var/log/network/server.log',
      runbook: 'netops exec --hosts web1 -- df -h',
    },
    quiet: { series: { 'network_log_output_failing{output="standard output"}': '1 0 1 0x10' }, at: '3m' },
  },
  MaintenanceForgotten: {
    fires: {
      ...{ series: { network_maintenance: '1x300' }, at: '245m', severity: 'warning' },
      ...{ summary: 'web1 has been in maintenance for four hours', runbook: 'netops status --hosts web1' },
    },
    quiet: { series: { network_maintenance: '1x230 0 1x30' }, at: '245m' },
  },
}
