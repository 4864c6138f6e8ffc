/** The launcher's decision, as a table: no I/O here. */
import type { FoundAdapter } from './probe.js';

/** Values of `OSLER_DRIVER`. */
export const DRIVERS = ['auto', 'hardware', 'software', 'system'] as const;

/**
 * Which driver is wanted. `auto`: a GPU, else the best software driver. `hardware`: a GPU or an error. `software`: a software
 * driver even where there is a GPU. `system`: only what is installed on the machine, nothing is downloaded.
 */
export type Driver = (typeof DRIVERS)[number];

/**
 * A way to run. `here`: in this process. `private-loader`: on a GPU, through the private Mesa's Vulkan loader, since the
 * machine has none. `private`: on the private Mesa. `installed`: on a software driver found on the machine.
 */
export type Step = 'here' | 'private-loader' | 'private' | 'installed';

/** What the decision depends on. */
export interface Situation {
  readonly wanted: Driver;
  /** What Dawn offers in this process's environment; not looked at for `software`. */
  readonly found: FoundAdapter | undefined;
  /** True if the user chose drivers with `VK_DRIVER_FILES` or `VK_ICD_FILENAMES`. */
  readonly pinned: boolean;
  /** True if there is no Vulkan loader, but a device file of a GPU. */
  readonly gpuWithoutLoader: boolean;
}

/** The oldest Mesa whose lavapipe is as good as the private one. */
const GOOD_MESA = 26;

/** What to try, in this order, until something works; empty where nothing can. */
export function plan({ wanted, found, pinned, gpuWithoutLoader }: Situation): Step[] {
  const hardware = found !== undefined && !found.software;
  switch (wanted) {
    case 'hardware':
      if (hardware) return ['here'];
      return gpuWithoutLoader ? ['private-loader'] : [];
    case 'system':
      return found ? ['here'] : ['installed'];
    case 'software':
      return ['private', 'installed'];
    case 'auto':
      if (hardware || (found && (pinned || mesaVersion(found.driver) >= GOOD_MESA))) return ['here'];
      if (gpuWithoutLoader) return ['private-loader', 'private', 'installed'];
      return ['private', 'installed'];
  }
}

/** Reads `OSLER_DRIVER`; returns undefined where it is none of the allowed values. */
export function parseDriver(value: string | undefined): Driver | undefined {
  const name = value?.trim().toLowerCase() || 'auto';
  return DRIVERS.find((driver) => driver === name);
}

/** The major version of Mesa that a driver's description names, else 0. */
export function mesaVersion(driver: string): number {
  return Number(/Mesa (\d+)/.exec(driver)?.[1] ?? 0);
}

/** How wide lavapipe's vectors should be, from the text of /proc/cpuinfo; undefined leaves the choice to Mesa. */
export function vectorWidth(cpuinfo: string): '256' | '512' | undefined {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1].split(' '));
  // Mesa by itself stops at 256 bits; 512 is worth a factor of 1.7 where the CPU has what LLVM needs for it.
  if (['avx512f', 'avx512bw', 'avx512dq', 'avx512vl'].every((flag) => flags.has(flag))) return '512';
  return flags.has('avx2') ? '256' : undefined;
}
