/** Units between machines, on NATS with JetStream. */
export { ClusterError } from './errors.js';
export { Hub, type HubAddress } from './hub.js';
export { LeaderExchange, type LeaderSetting } from './leader.js';
export { type Announcement, fromBytes, WORKER_BEAT, type WorkerBeat } from './messages.js';
export { WORKER_BEATS } from './names.js';
export type { Store } from './store.js';
export { runWorker, type UnitHost, type WorkerSetting } from './worker.js';
