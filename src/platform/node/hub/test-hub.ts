/** A hub for tests. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The commit of every model that it has. */
export const COMMIT = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00';
/** Its only large file. */
export const weights = Buffer.from(Float64Array.from({ length: 40_000 }, (_, i) => Math.sin(i)).buffer);

/** A hub on this machine, as the API of huggingface.co describes it: all models have the same files. */
export class Hub {
  readonly files = new Map<string, Buffer>([
    ['config.json', Buffer.from('{"model_type": "qwen2"}')],
    ['model.safetensors', weights],
    ['pytorch_model.bin', Buffer.from('the same in another format')],
    ['.gitattributes', Buffer.alloc(0)],
    ['onnx/config.json', Buffer.from('{}')],
  ]);
  /** First bytes of the weights that were asked for, probes of one byte apart. */
  readonly reads: number[] = [];
  /** Answers of a file that end early, by how many bytes they have. */
  readonly cuts: number[] = [];
  readonly tokens = new Set<string | undefined>();
  unavailable = 0;
  /** Names the page of the list that comes after one, by the number in its address; 0 is the first. */
  nextPage: ((page: number) => number | undefined) | undefined;
  readonly server: Server = createServer((request, response) => this.#answer(request, response));

  /** `models` names those that it has, by default any. */
  constructor(private readonly models = /./) {}

  /** Starts listening; returns its address. */
  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Stops. */
  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url as string, 'http://hub');
    this.tokens.add(request.headers.authorization);
    const json = (status: number, value: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    const [, model] = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/main/.exec(pathname) ?? [];
    const content = this.files.get(pathname.split(`/resolve/${COMMIT}/`)[1]);
    if (this.unavailable > 0) {
      this.unavailable--;
      json(503, { error: 'overloaded' });
    } else if (model && this.models.test(model)) json(200, { id: model, _id: '1', sha: COMMIT });
    else if (pathname.endsWith(`/tree/${COMMIT}`)) {
      const next = this.nextPage?.(Number(searchParams.get('page') ?? 0));
      const link = `<http://${request.headers.host}${pathname}?page=${next}>; rel="next"`;
      if (next !== undefined) response.setHeader('link', link);
      json(200, this.#tree());
    } else if (content) this.#send(content, request, response);
    else json(404, { error: 'not found' });
  }

  #send(content: Buffer, request: IncomingMessage, response: ServerResponse): void {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(from ?? 0);
    const end = to === undefined ? content.length : Math.min(Number(to) + 1, content.length);
    const range = { 'content-range': `bytes ${start}-${end - 1}/${content.length}` };
    const headers = { etag: '"1"', 'content-length': end - start, ...(from === undefined ? {} : range) };
    response.writeHead(from === undefined ? 200 : 206, headers);
    const probe = from !== undefined && end - start === 1;
    const cut = content === weights && !probe ? this.cuts.shift() : undefined;
    if (content.length === weights.length && !probe) this.reads.push(start);
    if (cut === undefined) response.end(content.subarray(start, end));
    else {
      response.write(content.subarray(start, start + cut), () => setTimeout(() => response.destroy(), 20));
    }
  }

  #tree(): object[] {
    return [...this.files].map(([path, content]) => {
      const oid = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
      const sha256 = createHash('sha256').update(content).digest('hex');
      const lfs = { oid: sha256, size: content.length, pointerSize: 130 };
      return { type: 'file', path, size: content.length, oid, ...(content === weights ? { lfs } : {}) };
    });
  }
}
