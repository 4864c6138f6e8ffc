/** Which of Dawn's backends a process takes. */

const MATRICES = 'chromium-experimental-subgroup-matrix';

/** How a backend is asked for an adapter. */
export type Ask = () => Promise<GPUAdapter | null>;

/**
 * The adapter of the backend that Dawn takes by itself, or that of Vulkan where only that one has matrix units, as on Windows
 * with D3D12: large products take several times as long without. If Vulkan has none, fails, or stands for a software driver,
 * the first adapter stays.
 */
export async function withMatrices(ask: Ask, askVulkan: Ask): Promise<GPUAdapter | null> {
  const first = await ask();
  if (!first || first.features.has(MATRICES)) return first;
  const other = await askVulkan().catch(() => null);
  return other?.features.has(MATRICES) && !other.info.isFallbackAdapter ? other : first;
}
