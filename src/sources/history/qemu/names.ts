import type { History } from '../../history';

const NO_LOCK = 'since 9.0 an AioContext has no lock: what needs one has its own';

/** Identifiers of QEMU that have other names in other versions, wherever they stand. */
export const names: History['names'] = {
  aio_context_acquire: [{ since: '9.0', nowhere: NO_LOCK }],
  aio_context_release: [{ since: '9.0', nowhere: NO_LOCK }],
  dataplane_started: [{ since: '9.0', symbol: 'ioeventfd_started' }],
  qatomic_mb_set: [{ since: '8.1', symbol: 'qatomic_set_mb' }],
  qemu_mutex_iothread_locked: [{ since: '9.0', symbol: 'bql_locked' }],
  qemu_mutex_lock_iothread: [{ since: '9.0', symbol: 'bql_lock' }],
  qemu_mutex_unlock_iothread: [{ since: '9.0', symbol: 'bql_unlock' }],
};
