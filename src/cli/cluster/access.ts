/** How commands reach a server: its address, and the token that it wants. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Argv } from 'yargs';
import type { HubAddress } from '../../exchange/nats/index.js';
import { readProblem } from '../../platform/node/system-errors.js';
import { UsageError } from '../common.js';

/** Options of whoever joins a server. */
export interface AccessArgs {
  readonly join?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly tlsCa?: string | undefined;
}

/** Adds them. */
export function accessOptions<T>(yargs: Argv<T>): Argv<T & AccessArgs> {
  return yargs
    .option('join', {
      type: 'string',
      describe: 'Server of the workers: nats://host:port, or tls://host:port',
    })
    .option('token-file', { type: 'string', describe: 'File with the token of the server' })
    .option('tls-ca', {
      type: 'string',
      describe: "Certificates that sign the server's, where the system does not know them",
    }) as Argv<T & AccessArgs>;
}

/** The address that the options name. */
export async function addressOf({ join, tokenFile, tlsCa }: AccessArgs): Promise<HubAddress> {
  if (join === undefined || !/^(nats|tls):\/\/[^/]+$/.test(join)) {
    throw new UsageError(`--join is ${JSON.stringify(join)}; write nats://host:4222 or tls://host:4222`);
  }
  const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
  return {
    url: join,
    ...(token === undefined ? {} : { token }),
    ...(tlsCa === undefined ? {} : { caFile: tlsCa }),
  };
}

/** The token in a file. */
export async function readToken(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--token-file ${file} ${readProblem(error)}`);
  }
  const token = text.trim();
  if (token.length < 16) throw new UsageError(`--token-file ${file} has a token of fewer than 16 characters`);
  return token;
}

/** A token that nobody can guess, in a file that nobody else can read. */
export async function writeToken(file: string): Promise<string> {
  const token = randomBytes(24).toString('base64url');
  await mkdir(path.dirname(path.resolve(file)), { recursive: true });
  await writeFile(file, `${token}\n`, { mode: 0o600 });
  return token;
}
