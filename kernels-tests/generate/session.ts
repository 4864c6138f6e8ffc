/** A tiny model with a tokenizer, in a folder of its own, as the commands open it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GenerationSession, openSession } from '../../src/cli/generation.js';
import { initModel } from '../../src/models/init/init.js';

/** Opens one; `close` removes the folder too. */
export async function tinySession(): Promise<{
  dir: string;
  session: GenerationSession;
  close(): Promise<void>;
}> {
  const dir = await mkdtemp(join(tmpdir(), 'osler-generate-'));
  await initModel(dir, { arch: 'tiny', seed: 1 });
  const session = await openSession({
    model: dir,
    dtype: 'auto',
    kvDtype: 'f32',
    batch: 8,
    maxPixels: 56 * 84,
  });
  return {
    dir,
    session,
    close: async () => {
      await session.close();
      await rm(dir, { recursive: true });
    },
  };
}
