/** Files in memory: for a page that keeps nothing, and for tests. Others that are only read may be mounted among them. */
import { FileError, PlaceError } from './errors.js';
import { blobContent, type Mounted, urlContent } from './mounted.js';
import type {
  AppendFile,
  FileContent,
  FileKind,
  FileLock,
  Files,
  OpenFile,
  StagedFile,
} from './ports/files.js';

/** Bytes that grow: the first `length` of `buffer`. */
interface Content {
  buffer: Uint8Array<ArrayBuffer>;
  length: number;
}

/** A file with a name, as a `FileList` has them; its path below a folder that was chosen, where there is one, counts. */
export type NamedBlob = Blob & { readonly name: string; readonly webkitRelativePath?: string };

/** A tree of files whose paths have slashes; relative ones begin at `/`. */
export class MemoryFiles implements Files {
  /** By absolute path. */
  readonly #files = new Map<string, Content | Mounted>();
  readonly #folders = new Set(['/']);
  readonly #locks = new Set<string>();
  #temporaries = 0;

  /** @param files what is there from the start, by path; the bytes are copied. */
  constructor(files: Readonly<Record<string, string | Uint8Array>> = {}) {
    for (const [path, content] of Object.entries(files)) {
      this.#addFolder(this.split(absolute(path)).folder);
      add(this.#create(path), content);
    }
  }

  /**
   * Puts files from elsewhere below a path, to be read only. Nothing is fetched before somebody reads, and then in pieces of
   * some megabytes; a server that gives no parts of files is asked for the whole.
   *
   * @param path of the file or, for several, of the folder.
   * @param source the address of a file, or of a folder if `names` are given; a `Blob`; or a `FileList`, whose files keep
   *   their places below the folder that was chosen.
   * @param names of files below the folder at an address, which servers do not list.
   */
  mount(path: string, source: string | URL | Blob | ArrayLike<NamedBlob>, names?: readonly string[]): void {
    if (source instanceof Blob) {
      this.#mount(path, blobContent(source));
    } else if (typeof source !== 'string' && !(source instanceof URL)) {
      for (const file of Array.from(source)) {
        const [, ...below] = (file.webkitRelativePath ?? '').split('/');
        this.#mount(this.join(path, ...(below.length > 0 ? below : [file.name])), blobContent(file));
      }
    } else if (names === undefined) {
      this.#mount(path, urlContent(String(source)));
    } else {
      const base = String(source).replace(/\/*$/, '/');
      for (const name of names) {
        const address = name.split('/').map(encodeURIComponent).join('/');
        this.#mount(this.join(path, name), urlContent(base + address));
      }
    }
  }

  join(folder: string, ...names: string[]): string {
    return normal([folder, ...names].filter((part) => part !== '').join('/'));
  }

  split(path: string): { folder: string; name: string } {
    const trimmed = path.replace(/(?<=.)\/+$/, '');
    const at = trimmed.lastIndexOf('/');
    const folder = at < 0 ? '.' : at === 0 ? '/' : trimmed.slice(0, at);
    return { folder, name: trimmed.slice(at + 1) };
  }

  async kind(path: string): Promise<FileKind | undefined> {
    return this.#kind(absolute(path));
  }

  async realPath(path: string): Promise<string | undefined> {
    const at = absolute(path);
    return this.#kind(at) && at;
  }

  async list(folder: string): Promise<string[]> {
    const at = absolute(folder);
    if (this.#files.has(at)) throw new FileError(folder, 'is a file, not a folder');
    if (!this.#folders.has(at)) throw new FileError(folder, 'does not exist', { missing: true });
    const prefix = at === '/' ? at : `${at}/`;
    const names = [...this.#files.keys(), ...this.#folders].flatMap((path) => {
      const name = path.startsWith(prefix) ? path.slice(prefix.length) : '';
      return name === '' || name.includes('/') ? [] : [name];
    });
    return names.sort();
  }

  async open(path: string): Promise<OpenFile> {
    const found = this.#find(path);
    if ('open' in found) return found.open(path);
    const { buffer, length } = found;
    const bytes = buffer.subarray(0, length);
    return {
      byteLength: length,
      async read(target, position) {
        const got = bytes.subarray(position, position + target.byteLength);
        target.set(got);
        return got.byteLength;
      },
      async close() {},
    };
  }

  async stage(path: string, content: FileContent): Promise<StagedFile> {
    const { folder } = this.split(absolute(path));
    if (!this.#folders.has(folder)) throw new Error(`${path} cannot be written: ${folder} does not exist`);
    const staged: Content = { buffer: new Uint8Array(), length: 0 };
    if (typeof content === 'function') await content({ write: async (bytes) => add(staged, bytes) });
    else add(staged, content);
    return {
      commit: async () => {
        const to = absolute(path);
        if (this.#folders.has(to)) throw new PlaceError(`${path} is a folder, not a file`);
        this.#files.set(to, staged);
      },
      async discard() {},
    };
  }

  async append(path: string): Promise<AppendFile> {
    const content = this.#files.has(absolute(path)) ? this.#own(path) : this.#create(path);
    return {
      append: async (data) => add(content, data),
      async sync() {},
      async close() {},
    };
  }

  async truncate(path: string, bytes: number): Promise<void> {
    const content = this.#own(path);
    // What was cut off may still be read by who has the file open.
    content.buffer = content.buffer.slice(0, bytes);
    content.length = content.buffer.length;
  }

  async makeFolder(path: string): Promise<void> {
    if (this.#files.has(absolute(path))) throw new PlaceError(`${path} is a file, not a folder`);
    try {
      this.#addFolder(absolute(path));
    } catch (error) {
      throw new PlaceError(`${path} cannot be made, because part of its path is a file`, { cause: error });
    }
  }

  async replaceFolder(path: string, fill: (folder: string) => Promise<void>): Promise<void> {
    const to = absolute(path);
    const { folder, name } = this.split(to);
    const temporary = this.join(folder, `.${name}.osler-tmp-${this.#temporaries++}`);
    await this.makeFolder(temporary);
    try {
      await fill(temporary);
      if (this.#files.has(to)) throw new PlaceError(`${path} is a file, not a folder`);
    } catch (error) {
      await this.remove(temporary);
      throw error;
    }
    await this.remove(to);
    this.#move(temporary, to);
  }

  /** Whatever ends a writer ends what it wrote, too. */
  async recover(): Promise<void> {}

  async remove(path: string): Promise<void> {
    const at = absolute(path);
    for (const file of [...this.#files.keys()]) if (isWithin(file, at)) this.#files.delete(file);
    for (const folder of [...this.#folders]) if (isWithin(folder, at)) this.#folders.delete(folder);
    this.#folders.add('/');
  }

  async digest(path: string): Promise<string> {
    const file = await this.open(path);
    const bytes = new Uint8Array(file.byteLength);
    await file.read(bytes, 0);
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  async lock(path: string): Promise<FileLock> {
    const at = absolute(path);
    if (this.#locks.has(at)) throw new FileError(path, 'is held by other work in this folder; wait for it');
    this.#locks.add(at);
    return {
      release: async () => {
        this.#locks.delete(at);
      },
    };
  }

  #kind(at: string): FileKind | undefined {
    return this.#files.has(at) ? 'file' : this.#folders.has(at) ? 'folder' : undefined;
  }

  #mount(path: string, mounted: Mounted): void {
    const at = absolute(path);
    if (this.#folders.has(at)) throw new PlaceError(`${path} is a folder, not a file`);
    this.#addFolder(this.split(at).folder);
    this.#files.set(at, mounted);
  }

  /** What may be changed. */
  #own(path: string): Content {
    const found = this.#find(path);
    if ('open' in found) throw new PlaceError(`${path} is mounted to be read only; write to another path`);
    return found;
  }

  #find(path: string): Content | Mounted {
    const at = absolute(path);
    const found = this.#files.get(at);
    if (found) return found;
    if (this.#folders.has(at)) throw new FileError(path, 'is a folder, not a file');
    throw new FileError(path, 'does not exist', { missing: true });
  }

  #create(path: string): Content {
    const at = absolute(path);
    if (this.#folders.has(at)) throw new PlaceError(`${path} is a folder, not a file`);
    const { folder } = this.split(at);
    if (!this.#folders.has(folder)) throw new Error(`${path} cannot be written: ${folder} does not exist`);
    const content = { buffer: new Uint8Array(), length: 0 };
    this.#files.set(at, content);
    return content;
  }

  #addFolder(at: string): void {
    if (this.#folders.has(at)) return;
    if (this.#files.has(at)) throw new PlaceError(`${at} is a file, not a folder`);
    this.#addFolder(this.split(at).folder);
    this.#folders.add(at);
  }

  #move(from: string, to: string): void {
    const moved = (path: string) => to + path.slice(from.length);
    for (const [path, content] of [...this.#files]) {
      if (!isWithin(path, from)) continue;
      this.#files.delete(path);
      this.#files.set(moved(path), content);
    }
    for (const path of [...this.#folders]) {
      if (!isWithin(path, from)) continue;
      this.#folders.delete(path);
      this.#folders.add(moved(path));
    }
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`);
}

function add(content: Content, data: string | Uint8Array): void {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  const length = content.length + bytes.length;
  if (length > content.buffer.length) {
    const grown = new Uint8Array(content.length === 0 ? length : Math.max(length, 2 * content.length));
    grown.set(content.buffer.subarray(0, content.length));
    content.buffer = grown;
  }
  content.buffer.set(bytes, content.length);
  content.length = length;
}

function absolute(path: string): string {
  return normal(`/${path}`);
}

/** Without `.`, and without `..` where it is known what that leads to. */
function normal(path: string): string {
  const rooted = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..' || (!rooted && (parts.at(-1) ?? '..') === '..')) parts.push(part);
    else parts.pop();
  }
  return rooted ? `/${parts.join('/')}` : parts.join('/') || '.';
}
