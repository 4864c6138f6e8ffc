/** Which files a model on the hub has. */
import { listFiles } from '@huggingface/hub';
import { HubError } from './error.js';
import type { Expected } from './transfer.js';

/** A file of a model, and what it must turn out to be. */
export interface RemoteFile extends Expected {
  readonly path: string;
}

/** How to reach a hub. */
export interface HubAccess {
  readonly hubUrl?: string | undefined;
  readonly accessToken?: string;
}

/** Weights, configs, tokenizers, templates, licences; not the same weights in other formats. */
const WANTED = /(\.safetensors|\.json|\.jinja|\.model|merges\.txt|vocab\.txt|LICENSE[^/]*|README\.md)$/;

/** Pages of a list that are followed, of a thousand files each on huggingface.co. */
const MAX_PAGES = 200;
const MAX_PAGE_BYTES = 64 << 20;

/** The files of a commit, small ones first: a wrong model shows before gigabytes have come. */
export async function remoteFiles(
  model: string,
  revision: string,
  all: boolean,
  { hubUrl, ...access }: HubAccess,
): Promise<RemoteFile[]> {
  const files: RemoteFile[] = [];
  const options = { repo: model, revision, recursive: true, fetch: pages(model), ...access };
  for await (const entry of listFiles(hubUrl === undefined ? options : { ...options, hubUrl })) {
    if (entry.type !== 'file' || !(all || (WANTED.test(entry.path) && !entry.path.includes('/')))) continue;
    if (entry.path.split(/[/\\]/).some((step) => ['', '.', '..'].includes(step))) {
      throw refused(model, `has a file named ${JSON.stringify(entry.path)}, which leaves the folder`);
    }
    const { lfs, oid = '' } = entry;
    const checksum = lfs ? { kind: 'sha256' as const, hex: lfs.oid } : { kind: 'git' as const, hex: oid };
    files.push({ path: entry.path, bytes: entry.size, checksum });
  }
  if (!files.some(({ path }) => path.endsWith('.safetensors'))) {
    throw refused(model, 'has no safetensors; choose a model that is published in that format');
  }
  return files.sort((a, b) => a.bytes - b.bytes);
}

/** Fetches the pages of one list, each of which names the next: only so many, none twice, and none without end. */
function pages(model: string): typeof fetch {
  const seen = new Set<string>();
  return async (input, init) => {
    const url = String(input);
    if (seen.has(url)) throw refused(model, 'has a list of files that leads back to its own pages');
    if (seen.size === MAX_PAGES) throw refused(model, `has a list of files of more than ${MAX_PAGES} pages`);
    seen.add(url);
    const response = await fetch(url, init);
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body ?? []) {
      parts.push(part);
      bytes += part.length;
      if (bytes > MAX_PAGE_BYTES)
        throw refused(model, `has a page of files of more than ${MAX_PAGE_BYTES} bytes`);
    }
    return new Response(Buffer.concat(parts), response);
  };
}

function refused(model: string, problem: string): HubError {
  return new HubError('refused', `${model} ${problem}`);
}
