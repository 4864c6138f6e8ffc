/** Units that two workers compute. Who disagrees with the other and with a third one computes wrongly. */
import { UnitFailure } from '../exchange.js';
import * as names from './names.js';
import type { Roster } from './roster.js';
import type { Store } from './store.js';
import type { Issued, UnitWatch } from './unit-watch.js';

/** What units are compared with. */
export interface VerifySetting {
  readonly run: string;
  readonly store: Store;
  readonly roster: Roster;
  readonly watch: UnitWatch;
  readonly signal: AbortSignal;
  /** Shows the user one line. */
  note(line: string): void;
}

/** What came of it. */
export interface Verdict {
  /** Whether there was somebody to compute it again. */
  readonly checked: boolean;
  /** The worker that computed otherwise than two others. */
  readonly wrong: string | null;
}

/** Whether a unit is among the share that is computed twice. No seed decides: a worker that knows it could lie elsewhere. */
export function isDue(share: number): boolean {
  return share > 0 && crypto.getRandomValues(new Uint32Array(1))[0] < share * 2 ** 32;
}

interface Computed {
  readonly subject: string;
  readonly worker: string;
  readonly digest: string;
}

/** Has a finished unit computed by another worker, and by a third where they differ; the result of two is what stays. */
export async function verify(unit: Issued, setting: VerifySetting): Promise<Verdict> {
  const { store, note, roster } = setting;
  const first = await computed(unit.name, setting);
  const second = await again(unit, [first.worker], setting);
  if (!second) return { checked: false, wrong: null };
  if (second.digest === first.digest) return { checked: true, wrong: null };
  const [a, b] = [first.worker, second.worker];
  note(`warning: workers ${a} and ${b} have different results for unit ${unit.name}; a third one decides`);
  if (!others(roster, [a, b])) note('no third worker is there; waiting for one (osler worker --join)');
  const third = (await again(unit, [a, b], setting)) as Computed;
  if (third.digest !== first.digest && third.digest !== second.digest) {
    throw new UnitFailure(
      `unit ${unit.name} has another result on each of the workers ${a}, ${b} and ${third.worker}; test their memory and drivers (osler doctor)`,
    );
  }
  const wrong = third.digest === first.digest ? b : a;
  if (wrong === a) {
    const right = await store.get(second.subject);
    await store.purge(first.subject);
    if (right) {
      await store.put(first.subject, right.bytes, {
        [names.ID_LABEL]: unit.queued.id,
        [names.WORKER_LABEL]: b,
      });
    }
  }
  note(
    `worker ${wrong} is put out: its result for unit ${unit.name} is not that of ${wrong === a ? b : a} and ${third.worker}`,
  );
  return { checked: true, wrong };
}

/** Has it computed by somebody else; undefined where a comparison would have nobody to make it. */
async function again(
  { queued }: Issued,
  without: readonly string[],
  setting: VerifySetting,
): Promise<Computed | undefined> {
  const { watch, roster, signal } = setting;
  const check = without.length;
  const name = names.unitName(queued.step, queued.kind, queued.index, check);
  const unit: Issued = { name, queued: { ...queued, check, without: [...without] } };
  const hopeless = () => check === 1 && !others(roster, without);
  if (hopeless()) return undefined;
  // Of an earlier try.
  await setting.store.purge(names.resultSubject(setting.run, name));
  watch.expect(unit, false);
  await watch.issue(unit);
  return (await watch.wait(unit, signal, hopeless)) ? computed(name, setting) : undefined;
}

async function computed(name: string, { store, run }: VerifySetting): Promise<Computed> {
  const subject = names.resultSubject(run, name);
  const head = await store.head(subject);
  if (!head) throw new Error(`the result of ${name} was deleted`);
  return { subject, worker: head.label(names.WORKER_LABEL), digest: head.digest };
}

function others(roster: Roster, without: readonly string[]): boolean {
  return roster.present.some(({ worker }) => !without.includes(worker));
}
