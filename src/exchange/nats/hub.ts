/** A connection to a NATS server with JetStream, and what is asked of it again when it does not answer. */
import {
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { ClusterError } from './errors.js';

/** Where a server is, and how to be let in. */
export interface HubAddress {
  /** `nats://host:port`, or `tls://host:port`. */
  readonly url: string;
  readonly token?: string;
  /** File of the certificates that sign the server's, where the system does not know them. */
  readonly caFile?: string;
}

/** Seconds for which a server may be away before whoever needs it gives up. */
const PATIENCE = 300;

/** Milliseconds between tries. */
const PAUSE = 250;

/** Errors of JetStream's own that do not go away by asking again. */
const NO_SPACE = new Set([10023, 10047, 10077, 10028, 10002]);

/** An open connection. */
export class Hub {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly url: string;

  private constructor(nc: NatsConnection, js: JetStreamClient, jsm: JetStreamManager, url: string) {
    this.nc = nc;
    this.js = js;
    this.jsm = jsm;
    this.url = url;
  }

  /** Connects; says in one sentence why it cannot. */
  static async open({ url, token, caFile }: HubAddress, name: string): Promise<Hub> {
    let nc: NatsConnection;
    try {
      nc = await connect({
        servers: url,
        name,
        ...(token === undefined ? {} : { token }),
        ...(url.startsWith('tls:') ? { tls: caFile === undefined ? {} : { caFile } } : {}),
        maxReconnectAttempts: -1,
        reconnectTimeWait: PAUSE,
        timeout: 10_000,
      });
    } catch (error) {
      throw connectError(url, error as Error);
    }
    try {
      const jsm = await jetstreamManager(nc, { timeout: 5000 });
      return new Hub(nc, jetstream(nc, { timeout: 5000 }), jsm, url);
    } catch (error) {
      await nc.close();
      throw new ClusterError(
        'refused',
        `the server ${url} has no JetStream for this user (${(error as Error).message}); start it with "osler hub", or nats-server with -js`,
      );
    }
  }

  /** The largest message that it takes, headers included. */
  get largestMessage(): number {
    return this.nc.info?.max_payload ?? 2 ** 20;
  }

  /** Asks until there is an answer, also where the server is away for a while; errors of JetStream's own are answers. */
  async ask<T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const end = performance.now() + PATIENCE * 1000;
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await body();
      } catch (error) {
        if (error instanceof JetStreamApiError) {
          if (NO_SPACE.has(error.code)) throw this.#full(error);
          // 503: it is not up yet.
          if (error.status !== 503) throw error;
        }
        if (this.nc.isClosed() || performance.now() > end) {
          throw new ClusterError(
            'failed',
            `the server ${this.url} does not answer: ${(error as Error).message}`,
            {
              cause: error,
            },
          );
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }

  /** Says goodbye; what was sent is delivered first. */
  async close(): Promise<void> {
    if (this.nc.isClosed()) return;
    // A server that is gone takes no leave.
    const leave = this.nc.drain().catch(() => {});
    await Promise.race([leave, new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
    await this.nc.close();
  }

  #full(error: Error): ClusterError {
    return new ClusterError(
      'failed',
      `the server ${this.url} stores no more (${error.message}); give its disk or its JetStream limits more room and resume`,
    );
  }
}

function connectError(url: string, error: Error): ClusterError {
  const text = error.message;
  if (/authorization|authentication/i.test(text)) {
    return new ClusterError(
      'refused',
      `the server ${url} does not take the token; compare --token-file with the one that it was started with`,
    );
  }
  return new ClusterError(
    'refused',
    `no NATS server can be reached at ${url} (${text}); start one with "osler hub"`,
  );
}
