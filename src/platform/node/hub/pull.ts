/** Models from the Hugging Face hub. */
import { join } from 'node:path';
import { downloadFile, HubApiError, modelInfo } from '@huggingface/hub';
import { isProtected } from '../../protected.js';
import { HubError } from './error.js';
import { remoteFiles } from './list.js';
import { ChecksumError, transferFile } from './transfer.js';

/** What to fetch, and where to. */
export interface PullOptions {
  /** Such as `Qwen/Qwen2-VL-2B-Instruct`. */
  readonly model: string;
  /** Branch, tag or commit; `main` by default. */
  readonly revision?: string;
  readonly dir: string;
  /** For models that are private or gated. */
  readonly token?: string;
  /** Another hub than huggingface.co. */
  readonly hubUrl?: string;
  /** Every file, not just those that a model is loaded from. */
  readonly all?: boolean;
  /** How often a broken connection is taken up again; 5 by default. */
  readonly retries?: number;
  /** Milliseconds before the first retry; each further one waits twice as long. 1000 by default. */
  readonly retryDelay?: number;
  readonly onProgress?: (progress: PullProgress) => void;
  /** Told why something is tried again, and in how many milliseconds. */
  readonly onRetry?: (reason: string, delay: number) => void;
}

/** How far a pull is. */
export interface PullProgress {
  readonly file: string;
  /** Bytes that are on disk, of all files. */
  readonly bytes: number;
  readonly totalBytes: number;
}

/** What was fetched. */
export interface PullResult {
  readonly model: string;
  /** The commit that the revision stood for. */
  readonly commit: string;
  readonly dir: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** Bytes that had to be read; less than the sum where files were there already. */
  readonly readBytes: number;
}

/** Fetches a model into a folder. What is there with the right checksum stays; what broke off is continued. */
export async function pullModel(options: PullOptions): Promise<PullResult> {
  const { model, dir, onProgress, retries = 5, retryDelay = 1000 } = options;
  if (!/^[\w.-]+\/[\w.-]+$/.test(model)) {
    throw new HubError(
      'refused',
      `"${model}" is not the name of a model; give ORG/NAME, such as Qwen/Qwen2-VL-2B-Instruct`,
    );
  }
  assertHub(options);
  const access = { hubUrl: options.hubUrl, ...(options.token ? { accessToken: options.token } : {}) };
  const patiently = <T>(work: () => Promise<T>) => withRetries(work, retries, retryDelay, options.onRetry);
  try {
    // All files of one commit, whatever is pushed meanwhile.
    const revision = options.revision ?? 'main';
    const info = await patiently(() =>
      modelInfo({ name: model, revision, additionalFields: ['sha'], ...access }),
    );
    const commit = info.sha;
    const files = await patiently(() => remoteFiles(model, commit, options.all ?? false, access));
    const totalBytes = files.reduce((sum, file) => sum + file.bytes, 0);
    let bytes = 0;
    let readBytes = 0;
    for (const file of files) {
      const before = bytes;
      readBytes += await patiently(() => {
        bytes = before;
        return transferFile({
          path: join(dir, file.path),
          expected: file,
          read: async (start) => {
            const blob = await downloadFile({ repo: model, path: file.path, revision: commit, ...access });
            if (!blob) throw new HubError('refused', `${file.path} is no longer there`);
            return blob.slice(start, file.bytes).stream();
          },
          onBytes: (more) => {
            bytes += more;
            onProgress?.({ file: file.path, bytes, totalBytes });
          },
        }).catch((error: unknown) => {
          throw error instanceof ChecksumError ? damaged(file.path, error) : error;
        });
      });
    }
    return {
      model,
      commit,
      dir,
      files: files.map(({ path, bytes: size }) => ({ path, bytes: size })),
      readBytes,
    };
  } catch (error) {
    throw explained(error, options);
  }
}

/** A token is a password: whoever sits between here and a hub without TLS would have it. */
function assertHub({ hubUrl, token }: PullOptions): void {
  if (hubUrl === undefined) return;
  if (!/^https?:/i.test(hubUrl) || !URL.canParse(hubUrl)) {
    throw new HubError('refused', `HF_ENDPOINT ${hubUrl} is not an address such as https://huggingface.co`);
  }
  if (token && !isProtected(hubUrl)) {
    const fix = 'give HF_ENDPOINT an https address, or unset HF_TOKEN';
    throw new HubError(
      'refused',
      `HF_TOKEN is not sent to ${hubUrl}, where all on the way could read it; ${fix}`,
    );
  }
}

/** Tries again what failed on the way; a refusal, or content that is wrong, will not change. */
async function withRetries<T>(
  work: () => Promise<T>,
  retries: number,
  firstDelay: number,
  onRetry: PullOptions['onRetry'],
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const refused = error instanceof HubApiError && error.statusCode < 500 && error.statusCode !== 429;
      if (attempt >= retries || refused || error instanceof HubError) throw error;
      const delay = firstDelay * 2 ** attempt;
      onRetry?.(reasonOf(error), delay);
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}

function damaged(path: string, { message }: Error): HubError {
  return new HubError('failed', `${path} ${message}; it was discarded, try again`);
}

/** What went wrong and what helps, in one sentence. */
function explained(error: unknown, { model, revision, hubUrl = 'huggingface.co' }: PullOptions): unknown {
  if (error instanceof HubError) return error;
  const at = revision ? `${model} at revision ${revision}` : model;
  if (error instanceof HubApiError) {
    const { statusCode } = error;
    if (statusCode === 404)
      return new HubError('refused', `${at} does not exist on ${hubUrl}; check the name`);
    if (statusCode === 401 || statusCode === 403) {
      const fix = 'accept its terms on the hub if it is gated, and set HF_TOKEN to a token that may read it';
      return new HubError('refused', `${at} may not be read (${statusCode}), or does not exist; ${fix}`);
    }
    return new HubError('failed', `${hubUrl} answered ${statusCode} for ${at}; try again later`);
  }
  const reason = reasonOf(error);
  const fix = 'what has arrived is kept, the same command goes on from there';
  return new HubError('failed', `pulling ${at} from ${hubUrl} failed (${reason}); ${fix}`, { cause: error });
}

/** What `fetch` knows of a failed connection is in its cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : message;
}
