/**
 * GPUs that are not there: Mesa's Vulkan drivers of real GPUs over a shim that plays the kernel's part. Shaders are compiled
 * as for the chip, and whatever is submitted is dropped, so that results mean nothing.
 */
import { installedMesa, installMesa, mesaRecipes } from './mesa.js';
import { type Mesa, type MesaBundle, SOFTWARE_MESA } from './mesa-folder.js';
import { runtimeFolder } from './paths.js';
import { probe } from './probe.js';

/** How to pretend that there is a chip. */
interface Chip {
  /** Which Vulkan driver drives it, and which shim answers for the kernel. */
  readonly driver: string;
  readonly shim: string;
  /** Names the chip to the shim. */
  readonly env: Readonly<Record<string, string>>;
}

const amd = (id: string): Chip => ({ driver: 'radeon', shim: 'amdgpu', env: { AMDGPU_GPU_ID: id } });
const nvidia = (id: string): Chip => ({
  driver: 'nouveau',
  shim: 'nouveau',
  env: { NOUVEAU_CHIPSET: id },
});

const CHIPS = {
  /** RDNA2, RDNA3 and RDNA4. */
  navi21: amd('navi21'),
  navi31: amd('navi31'),
  gfx1201: amd('gfx1201'),
  /** GA102, through NVK: not NVIDIA's own compiler. */
  ampere: nvidia('0x172'),
  /** M1 (G13G). */
  apple: { driver: 'asahi', shim: 'asahi', env: {} },
  /** Adreno 740. */
  adreno: { driver: 'freedreno', shim: 'freedreno', env: { FD_GPU_ID: '740' } },
} satisfies Readonly<Record<string, Chip>>;

/** A chip that can be pretended. */
export type NullChip = keyof typeof CHIPS;

/** All of them. */
export const NULL_CHIPS = Object.keys(CHIPS) as NullChip[];

const BUNDLE: MesaBundle = {
  what: "real GPUs' drivers for devices that execute nothing",
  suffix: '-null-1',
  packages: [...SOFTWARE_MESA.packages, 'mesa-drm-shim'],
  drivers: [...new Set(Object.values(CHIPS).map(({ driver }) => driver))],
};

/** The drivers, fetched by apt the first time; throws an Error that says why there are none. */
export function nullDrivers(report: (line: string) => void): Mesa {
  const recipes = mesaRecipes();
  if (typeof recipes === 'string') throw new Error(recipes);
  const works = (mesa: Mesa) => {
    const { node, env } = nullGpu(mesa, 'navi31');
    const { found, problem } = probe(node, { ...process.env, ...env });
    return found ? undefined : problem;
  };
  return installedMesa(recipes, BUNDLE) ?? installMesa(recipes, works, report, BUNDLE);
}

/** Starts Node so that it finds one chip: with `node`, in an environment that holds `env` as well. */
export function nullGpu(mesa: Mesa, chip: NullChip): { node: string; env: Record<string, string> } {
  const { driver, shim, env } = CHIPS[chip];
  const icd = mesa.icds[driver];
  return {
    node: mesa.node,
    env: {
      ...env,
      VK_DRIVER_FILES: icd,
      VK_ICD_FILENAMES: icd,
      XDG_RUNTIME_DIR: runtimeFolder(),
      OSLER_PRELOAD: `lib${shim}_noop_drm_shim.so`,
      OSLER_NODE: process.execPath,
      // The process is where it should be: it must not look for a driver of its own.
      OSLER_LAUNCHED: 'null',
      MESA_SHADER_CACHE_DISABLE: 'true',
    },
  };
}
