/** What streams and subjects are called. A run's begin with `osler.<run>.`. */
import type { UnitKind } from '../exchange.js';

/** The stream that a run's bytes are in, and the queue of its units. */
export const storeStream = (run: string) => `OSLER_${run}`;
export const queueStream = (run: string) => `OSLER_${run}_QUEUE`;
/** The queue's one consumer, which all workers share. */
export const QUEUE_CONSUMER = 'workers';

/** Everything that {@link storeStream} stores; the queue and the signs of life are apart. */
export const storeSubjects = (run: string) => `osler.${run}.s.>`;

const stored = (run: string, rest: string) => `osler.${run}.s.${rest}`;

/** What the run is. */
export const runSubject = (run: string) => stored(run, 'run');
/** What units have in common, and what results consist of: by step and digest. */
export const shelfSubject = (run: string, name: string) => stored(run, `shelf.${name}`);
/** Weights: their list for a version, and each by the version that it came with. */
export const versionSubject = (run: string, digest: string) => stored(run, `version.${digest}`);
export const weightSubject = (run: string, place: string) => stored(run, `weight.${place}`);

/** A unit, as part of a subject. */
export const unitName = (step: number, kind: UnitKind, index: number, check = 0) =>
  `${step}.${kind}.${index}${check > 0 ? `-check-${check}` : ''}`;
export const resultSubject = (run: string, unit: string) => stored(run, `result.${unit}`);
export const failureSubject = (run: string, unit: string, delivery: string) =>
  stored(run, `failure.${unit}.${delivery}`);
/** All failures of a step. */
export const failureSubjects = (run: string, step: number) => stored(run, `failure.${step}.>`);
/** All results of a step, or of a kind of its units. */
export const resultSubjects = (run: string, step: number, kind?: UnitKind) =>
  stored(run, kind ? `result.${step}.${kind}.>` : `result.${step}.>`);

/** Labels of a result: what it is a function of, and who computed it. */
export const ID_LABEL = 'Osler-Unit';
export const WORKER_LABEL = 'Osler-Worker';

/** Units that are to be done. */
export const queueSubject = (run: string, unit: string) => `osler.${run}.queue.${unit}`;
export const queueSubjects = (run: string) => `osler.${run}.queue.>`;

/** Signs of life, which nobody stores: of workers, by run, and of leaders. */
export const WORKER_BEATS = 'osler-beat.worker.>';
export const workerBeat = (run: string, worker: string) => `osler-beat.worker.${run}.${worker}`;
export const workerBeats = (run: string) => `osler-beat.worker.${run}.*`;
export const leaderBeat = (run: string) => `osler-beat.leader.${run}`;
export const LEADER_BEATS = 'osler-beat.leader.*';
/** Asks leaders for a sign of life at once. */
export const HELLO = 'osler-beat.hello';
/** Results that came after the first one for their unit. */
export const twinSubject = (run: string) => `osler-beat.twin.${run}`;
/** What a worker that is not let in says. */
export const refusalSubject = (run: string) => `osler-beat.refusal.${run}`;
