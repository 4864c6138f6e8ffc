/** Workers on this machine, each a process of its own, that end with this one. */
import { type ChildProcess, spawn } from 'node:child_process';

/** Times that workers are started again in all; what kills them once may kill them always. */
const RESTARTS = 20;

/** What workers are started with. */
export interface LocalWorkersSetting {
  readonly count: number;
  readonly url: string;
  readonly tokenFile: string;
  /** Further words of their command line. */
  readonly words: readonly string[];
  note(line: string): void;
  /** Called when one has ended that was not told to. */
  onEnd(worker: string): void;
  /** Called when none is left. */
  onLast(): void;
}

/** See above. */
export class LocalWorkers {
  readonly #setting: LocalWorkersSetting;
  readonly #children = new Set<ChildProcess>();
  #restarts = 0;
  #stopping = false;

  /** Starts them. */
  constructor(setting: LocalWorkersSetting) {
    this.#setting = setting;
    process.once('exit', this.#end);
    for (let i = 0; i < setting.count; i++) this.#start(`local-${i + 1}`);
  }

  /** Ends them. */
  async stop(): Promise<void> {
    this.#stopping = true;
    process.off('exit', this.#end);
    await Promise.all(
      [...this.#children].map(async (child) => {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
        await ended;
        clearTimeout(timer);
      }),
    );
  }

  readonly #end = () => {
    for (const child of this.#children) child.kill('SIGKILL');
  };

  #start(name: string): void {
    const { url, tokenFile, words, note } = this.#setting;
    const access = ['--join', url, '--token-file', tokenFile];
    const command = [
      process.argv[1] as string,
      'worker',
      ...access,
      '--name',
      name,
      '--end-with-parent',
      ...words,
    ];
    const child = spawn(process.execPath, [...process.execArgv, ...command], {
      // What a worker says is the leader's to say; what breaks it is shown.
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#children.add(child);
    child.once('error', (error) => note(`worker ${name} cannot be started: ${error.message}`));
    child.once('exit', (code, signal) => {
      this.#children.delete(child);
      if (this.#stopping) return;
      this.#setting.onEnd(name);
      if (code === 2 || ++this.#restarts > RESTARTS) {
        if (this.#children.size === 0) this.#setting.onLast();
        return;
      }
      note(`worker ${name} ended (${signal ?? `exit code ${code}`}) and is started again`);
      this.#start(name);
    });
  }
}
