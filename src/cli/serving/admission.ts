/**
 * Who is let in. A server that takes whatever comes ends when memory does; this one says early that it is full (429), so
 * that clients wait and come again.
 */
import type { IncomingMessage } from 'node:http';
import { RequestError } from './chat-request.js';

/** What may be under way at once. */
export interface AdmissionLimits {
  /** Requests that are read, waiting or being answered. */
  readonly requests: number;
  /** Bytes of one body. */
  readonly bodyBytes: number;
  /** Bytes of all bodies that are being read or worked on. */
  readonly allBodyBytes: number;
}

/** A request's place; its bytes count until it is left. */
export interface Place {
  /** Reads the body. */
  read(request: IncomingMessage): Promise<Buffer>;
  leave(): void;
}

/** Counts requests and bytes against limits. */
export class Admission {
  readonly #limits: AdmissionLimits;
  #requests = 0;
  #bytes = 0;
  #closed = false;
  #emptied: (() => void) | null = null;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Requests that are under way. */
  get requests(): number {
    return this.#requests;
  }

  /** Whether new requests are turned away because the server ends. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Lets a request in. */
  enter(): Place {
    if (this.#closed) throw new RequestError('this server is shutting down', null, 503);
    const { requests } = this.#limits;
    if (this.#requests >= requests)
      throw new RequestError(`${requests} requests are under way already; try again later`, null, 429);
    this.#requests++;
    let held = 0;
    let left = false;
    return {
      read: (request) =>
        this.#read(request, (bytes) => {
          held += bytes;
        }),
      leave: () => {
        if (left) return;
        left = true;
        this.#requests--;
        this.#bytes -= held;
        if (this.#requests === 0) this.#emptied?.();
      },
    };
  }

  /** Turns new requests away; resolves when those under way are done. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#requests === 0) return;
    await new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
  }

  async #read(request: IncomingMessage, hold: (bytes: number) => void): Promise<Buffer> {
    const { bodyBytes, allBodyBytes } = this.#limits;
    const tooLarge = () => new RequestError(`the request is larger than ${bodyBytes} bytes`, null, 413);
    if (Number(request.headers['content-length'] ?? 0) > bodyBytes) throw tooLarge();
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bodyBytes) throw tooLarge();
      if (this.#bytes + chunk.length > allBodyBytes)
        throw new RequestError('the requests under way hold too much memory; try again later', null, 429);
      this.#bytes += chunk.length;
      hold(chunk.length);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }
}
