/** A run whose units workers do: on this machine (`--workers`), or wherever they joined the same server (`--join`). */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import type { Argv } from 'yargs';
import { ClusterError, Hub, LeaderExchange } from '../../exchange/nats/index.js';
import type { OpenExchange, SharedRun } from '../../grpo/index.js';
import { tunerFor } from '../../kernels/tuner.js';
import { provideNatsServer } from '../../platform/launcher/nats.js';
import { NatsProcess } from '../../platform/launcher/nats-process.js';
import { OSLER_VERSION } from '../../platform/version.js';
import { configDigest, folderDigests } from '../../train/origin.js';
import { UsageError } from '../common.js';
import { COUNT, numbers, SHARE } from '../numbers.js';
import { tell } from '../terminal.js';
import { type AccessArgs, accessOptions, addressOf, writeToken } from './access.js';
import { fingerprintOf } from './fingerprint.js';
import { LocalWorkers } from './local-workers.js';

/** Options of commands whose work can be shared. */
export interface LeadArgs extends AccessArgs {
  readonly workers?: number | undefined;
  readonly verify?: number | undefined;
  readonly tier?: string | undefined;
}

/** Adds them. */
export function leadOptions<T>(yargs: Argv<T>): Argv<T & LeadArgs> {
  return accessOptions(yargs)
    .option('workers', {
      type: 'number',
      describe: 'Has so many processes on this machine do the work, by a server that is started for the run',
    })
    .option('verify', {
      type: 'number',
      describe: 'Share of the work that two workers do and that must be equal, such as 0.02; none by default',
    })
    .check(numbers({ workers: COUNT, verify: SHARE })) as Argv<T & LeadArgs>;
}

/** What a shared run has open. */
export class Lead {
  readonly #args: LeadArgs;
  readonly #note = (line: string) => tell(`cluster: ${line}`);
  #server: NatsProcess | null = null;
  #workers: LocalWorkers | null = null;
  #hub: Hub | null = null;
  #leader: LeaderExchange | null = null;

  private constructor(args: LeadArgs) {
    this.#args = args;
  }

  /** For the options of a command: null where nothing is shared. */
  static from(args: LeadArgs): Lead | null {
    if (args.workers === undefined && args.join === undefined) {
      if (args.tokenFile !== undefined) throw new UsageError('--token-file is given without --join');
      if (args.verify !== undefined)
        throw new UsageError(
          '--verify is given without --workers or --join; this process does all work itself',
        );
      return null;
    }
    if (args.workers !== undefined) {
      if (args.join !== undefined)
        throw new UsageError('--workers and --join are given; one of them says where');
      if (args.workers === 1 && args.verify)
        throw new UsageError('--verify needs somebody to compare with; give --workers 2 or more');
    }
    return new Lead(args);
  }

  /** Opens the exchange of a run. */
  readonly open: OpenExchange = async (run) => {
    const folder = path.join(run.session.runDir, 'cluster');
    await mkdir(folder, { recursive: true });
    const id = await runId(path.join(folder, 'run'));
    const tokenFile = path.join(folder, 'token');
    const { workers, tier } = this.#args;
    let address = workers === undefined ? await addressOf(this.#args) : null;
    if (!address) {
      const binary = provideNatsServer((line) => tell(`osler: ${line}`));
      const token = await writeToken(tokenFile);
      this.#server = await NatsProcess.start({ binary, folder: path.join(folder, 'server'), token });
      this.#server.note = this.#note;
      address = { url: this.#server.url, token };
    }
    this.#hub = await Hub.open(address, `osler leader ${id}`);
    this.#leader = await LeaderExchange.open({
      hub: this.#hub,
      announcement: await announcementOf(run, id),
      weights: run.work.weightPort(),
      verify: this.#args.verify ?? 0,
      note: this.#note,
    });
    const { rollout_units: units, learning_lanes: lanes } = run.config;
    if (workers !== undefined) {
      if (Math.max(units, lanes) < workers) {
        this.#note(
          `the config cuts a round into ${units} units of rollouts and a step into ${lanes} lanes, so that ${workers} workers cannot all be busy; set rollout_units and learning_lanes`,
        );
      }
      const leader = this.#leader;
      const words = tier === undefined ? [] : ['--tier', tier];
      this.#workers = new LocalWorkers({
        count: workers,
        url: address.url,
        tokenFile,
        words,
        note: this.#note,
        onEnd: (worker) => leader.roster.hasEnded(worker),
        onLast: () => leader.fail(new ClusterError('failed', 'all workers of this machine have ended')),
      });
    }
    return this.#leader;
  };

  /** Ends what was opened. What the server holds is kept for a resume, unless the run is finished. */
  async close(finished: boolean): Promise<void> {
    await this.#leader?.close({ forget: finished });
    await this.#workers?.stop();
    await this.#hub?.close();
    await this.#server?.stop();
    if (this.#server && finished)
      await rm(path.dirname(this.#server.folder), { recursive: true, force: true });
  }
}

/** The name of a run among others on a server; a resumed one has the same. */
async function runId(file: string): Promise<string> {
  try {
    const id = (await readFile(file, 'utf8')).trim();
    if (/^[0-9a-f]{16}$/.test(id)) return id;
  } catch {
    // It is new.
  }
  const id = randomBytes(8).toString('hex');
  await writeFile(file, `${id}\n`);
  return id;
}

async function announcementOf({ session, config, share }: SharedRun, run: string) {
  const { model_name_or_path: model, adapter_name_or_path: adapter } = config;
  const yaml = stringify(config);
  return {
    run,
    osler: OSLER_VERSION,
    task: config.algorithm,
    fingerprint: fingerprintOf(session.gpu),
    // As JSON: what a worker reads is what it checks the digest of.
    config: JSON.parse(JSON.stringify(config)),
    configDigest: await configDigest(yaml),
    files: {
      ...prefixed('model/', await folderDigests(model)),
      ...(adapter === null ? {} : prefixed('adapter/', await folderDigests(adapter))),
    },
    kernels: JSON.parse(JSON.stringify(tunerFor(session.gpu).pin())),
    task_setting: JSON.parse(JSON.stringify(share)),
  };
}

function prefixed(prefix: string, digests: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(digests).map(([name, digest]) => [prefix + name, digest]));
}
