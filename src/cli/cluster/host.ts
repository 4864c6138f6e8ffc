/** What a worker loads for a run, after it has made sure that it may and can. */
import path from 'node:path';
import { stringify } from 'yaml';
import { type Announcement, ClusterError, type UnitHost } from '../../exchange/nats/index.js';
import type { Gpu } from '../../gpu/index.js';
import { type GrpoConfig, openShare, parseGrpoConfig } from '../../grpo/index.js';
import { tunerFor } from '../../kernels/tuner.js';
import { isFolder } from '../../platform/files.js';
import { OSLER_VERSION } from '../../platform/version.js';
import { configDigest, folderDigests } from '../../train/origin.js';
import { fingerprintOf } from './fingerprint.js';

/** Opens a run's units; throws a sentence for whoever can mend what is wrong. */
export async function openHost(
  gpu: Gpu,
  announcement: Announcement,
  models: string | undefined,
): Promise<UnitHost> {
  const { osler, task, fingerprint, config: plain, configDigest: digest, files } = announcement;
  if (osler !== OSLER_VERSION) {
    throw refused(`the run is one of Osler ${osler}, and this is ${OSLER_VERSION}; install the same version`);
  }
  if (task !== 'grpo' && task !== 'ppo')
    throw refused(`the run is one of ${task}, which this Osler has no units of`);
  const own = fingerprintOf(gpu);
  if (own !== fingerprint) {
    throw refused(
      `this worker has ${own}, and the run ${fingerprint}: results would differ in rounding; use the same adapter, driver and tier`,
    );
  }
  const config = parseGrpoConfig({ file: 'the config of the run', text: JSON.stringify(plain) });
  if ((await configDigest(stringify(config))) !== digest) {
    throw refused('the config of the run does not have the digest that its leader names');
  }
  const placed: GrpoConfig = {
    ...config,
    model_name_or_path: await find(config.model_name_or_path, models, 'model/', files),
    adapter_name_or_path:
      config.adapter_name_or_path && (await find(config.adapter_name_or_path, models, 'adapter/', files)),
  };
  tunerFor(gpu).pin(announcement.kernels as Record<string, object>);
  const { work, dispose } = await openShare(gpu, placed, announcement.task_setting);
  const { rollout, score, lane } = work;
  return { works: { rollout, score, lane } as UnitHost['works'], weights: work.weightPort(), dispose };
}

/** The folder on this machine that has the files of one that the leader named. */
async function find(
  named: string,
  models: string | undefined,
  prefix: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const wanted = Object.entries(files).filter(([name]) => name.startsWith(prefix));
  const places = [...(models === undefined ? [] : [path.join(models, path.basename(named))]), named];
  let problem = 'is not here';
  for (const place of places) {
    if (!(await isFolder(place))) continue;
    const digests = await folderDigests(place);
    const differing = wanted.filter(([name, digest]) => digests[name.slice(prefix.length)] !== digest);
    if (differing.length === 0) return place;
    problem = `differs from the leader's in ${differing[0][0].slice(prefix.length)} (${place})`;
  }
  throw refused(
    `the folder ${named} ${problem}; copy it from the leader, or name with --models the folder that has ${path.basename(named)}`,
  );
}

function refused(problem: string): ClusterError {
  return new ClusterError('refused', problem);
}
