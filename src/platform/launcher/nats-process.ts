/** A nats-server as a child of this process: it ends with it, however that ends, and comes back when it is killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { LaunchError } from './launch.js';
import { dieWithParent } from './relaunch.js';

/** How a server is run. */
export interface NatsSettings {
  readonly binary: string;
  /** For its config, its log and what it stores; made if it is not there. */
  readonly folder: string;
  /** What clients must show. */
  readonly token: string;
  /** Address to listen on; 127.0.0.1 by default. */
  readonly host?: string;
  /** 0 for any that is free, the default. */
  readonly port?: number;
  /** Certificate and key, for TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Largest message: a part of what is stored, with room. */
const MAX_PAYLOAD = 8 * 2 ** 20;
/** Milliseconds until it listens, and between looks. */
const START = 20_000;
const LOOK = 20;
/** Times that it is started again. */
const RESTARTS = 100;

/** A server that listens. */
export class NatsProcess {
  readonly token: string;
  readonly #settings: NatsSettings;
  #child: ChildProcess;
  #port: number;
  #stopping = false;
  #restarts = 0;
  /** Called with a line for the user. */
  note: (line: string) => void = () => {};

  private constructor(settings: NatsSettings, child: ChildProcess, port: number) {
    this.token = settings.token;
    this.#settings = settings;
    this.#child = child;
    this.#port = port;
    this.#watch(child);
    process.once('exit', this.#end);
  }

  /** Starts one; resolves when it listens. */
  static async start(settings: NatsSettings): Promise<NatsProcess> {
    fs.mkdirSync(settings.folder, { recursive: true, mode: 0o700 });
    const { child, port } = await launch(settings, settings.port ?? 0);
    return new NatsProcess(settings, child, port);
  }

  /** Where clients on this machine find it. */
  get url(): string {
    const { host = '127.0.0.1', tls } = this.#settings;
    const own = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    return `${tls ? 'tls' : 'nats'}://${own}:${this.#port}`;
  }

  /** Where it keeps its things. */
  get folder(): string {
    return this.#settings.folder;
  }

  /** Its process, for whoever watches it. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Ends it, after it has written what it holds. */
  async stop(): Promise<void> {
    this.#stopping = true;
    process.off('exit', this.#end);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  }

  readonly #end = () => void this.#child.kill('SIGKILL');

  #watch(child: ChildProcess): void {
    child.once('exit', (code, signal) => void this.#again(signal ?? `code ${code}`));
  }

  async #again(how: string): Promise<void> {
    if (this.#stopping || ++this.#restarts > RESTARTS) return;
    this.note(`nats-server ended (${how}) and is started again`);
    try {
      // On the same port, where its clients look for it.
      const { child } = await launch(this.#settings, this.#port);
      this.#child = child;
      if (this.#stopping) child.kill('SIGKILL');
      else this.#watch(child);
    } catch (error) {
      this.note(`nats-server could not be started again: ${(error as Error).message}`);
    }
  }
}

async function launch(settings: NatsSettings, port: number): Promise<{ child: ChildProcess; port: number }> {
  const { binary, folder } = settings;
  const config = path.join(folder, 'nats.conf');
  const log = path.join(folder, 'nats.log');
  for (const name of fs.readdirSync(folder).filter((file) => file.endsWith('.ports'))) {
    fs.rmSync(path.join(folder, name));
  }
  fs.writeFileSync(config, configuration(settings, port), { mode: 0o600 });
  const [command, args] = dieWithParent(binary, ['-c', config]);
  const out = fs.openSync(log, 'w', 0o600);
  const child = spawn(command, args, { stdio: ['ignore', out, out] });
  fs.closeSync(out);
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  const end = performance.now() + START;
  for (;;) {
    const found = portsOf(folder);
    if (found !== undefined) return { child, port: found };
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (failure || ended || performance.now() > end) {
      child.kill('SIGKILL');
      const last = fs
        .readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .at(-1)
        ?.replace(/^.*\[\w{3}\] /, '');
      throw new LaunchError(`nats-server did not start: ${failure?.message ?? last ?? 'it said nothing'}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

function configuration({ host = '127.0.0.1', token, folder, tls }: NatsSettings, port: number): string {
  const text = JSON.stringify;
  return `host: ${text(host)}
port: ${port === 0 ? -1 : port}
authorization { token: ${text(token)} }
jetstream { store_dir: ${text(path.resolve(folder, 'jetstream'))} }
max_payload: ${MAX_PAYLOAD}
ports_file_dir: ${text(path.resolve(folder))}
${tls ? `tls { cert_file: ${text(path.resolve(tls.cert))}, key_file: ${text(path.resolve(tls.key))} }\n` : ''}`;
}

/** The port in the file that the server writes once it listens. */
function portsOf(folder: string): number | undefined {
  const name = fs.readdirSync(folder).find((file) => file.endsWith('.ports'));
  if (name === undefined) return undefined;
  try {
    const { nats } = JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) as { nats: string[] };
    return Number(new URL(nats[0].replace(/^\w+:/, 'http:')).port);
  } catch {
    // Half written.
    return undefined;
  }
}
