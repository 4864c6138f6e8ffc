/** Cards as the tools and files of each system show them, in what they printed. */
import { expect, it } from 'vitest';
import { cardsOf, nodeCards } from './index.js';
import type { Machine } from './machine.js';

const GIB = 2 ** 30;

/** A machine of which only some programs and files are there. */
function machine(
  system: Machine['system'],
  programs: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {},
): Machine {
  const below = (folder: string) => Object.keys(files).flatMap((file) => file.split(`${folder}/`)[1] ?? []);
  return {
    system,
    memory: 32 * GIB,
    run: async (program) => programs[program] ?? '',
    read: async (file) => files[file] ?? '',
    list: async (folder) => [...new Set(below(folder).map((rest) => rest.split('/')[0]))],
  };
}

const SMI = 'NVIDIA GeForce RTX 4090, 24564, 23901\nNVIDIA GB10, [N/A], [N/A]\n';

it('nvidia-smi', async () => {
  expect(await cardsOf(machine('linux', { 'nvidia-smi': SMI }))).toEqual([
    {
      name: 'NVIDIA GeForce RTX 4090',
      vendor: 'nvidia',
      discrete: true,
      bytes: 24564 * 2 ** 20,
      free: 23901 * 2 ** 20,
      source: 'nvidia-smi',
    },
  ]);
  const broken = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n";
  expect(await cardsOf(machine('linux', { 'nvidia-smi': broken }))).toEqual([]);
});

it("Linux' files of amdgpu", async () => {
  const [big, chip] = ['/sys/class/drm/card1/device', '/sys/class/drm/card0/device'];
  const files = {
    [`${big}/vendor`]: '0x1002',
    [`${big}/device`]: '0x744c',
    [`${big}/revision`]: '0xc8',
    [`${big}/mem_info_vram_total`]: '25753026560',
    [`${big}/mem_info_vram_used`]: '1306378240',
    [`${big}/mem_info_gtt_total`]: '33576247296',
    [`${chip}/vendor`]: '0x1002',
    [`${chip}/mem_info_vram_total`]: '536870912',
    [`${chip}/mem_info_vram_used`]: '36870912',
    [`${chip}/mem_info_gtt_total`]: '16000000000',
    [`${chip}/mem_info_gtt_used`]: '1000000000',
    '/sys/class/drm/card1-DP-1/status': 'connected',
    '/usr/share/libdrm/amdgpu.ids':
      '# List of AMDGPU IDs\n1.0.0\n744C,\tC8,\tAMD Radeon RX 7900 XTX\n744C,\tCC,\tAMD Radeon RX 7900 XT',
  };
  const found = await cardsOf(machine('linux', {}, files));
  expect(found).toContainEqual({
    name: 'AMD Radeon RX 7900 XTX',
    vendor: 'amd',
    discrete: true,
    bytes: 25753026560,
    free: 25753026560 - 1306378240,
    source: 'sysfs',
  });
  expect(found).toContainEqual({
    name: '',
    vendor: 'amd',
    discrete: false,
    bytes: 16536870912,
    free: 15500000000,
    source: 'sysfs',
  });
});

it.each([
  ['xe', { 'device/tile0/physical_vram_size_bytes': '12884901888' }, 12 * GIB, null],
  ['i915', { lmem_total_bytes: '17179869184', lmem_avail_bytes: '16106127360' }, 16 * GIB, 15 * GIB],
  [
    'memory that is mapped as a whole',
    {
      'device/resource':
        '0x0000004000000000 0x0000004000ffffff 0x0000000000140204\n0x0000000000000000 0x0000000000000000 0x0000000000000000\n0x0000004800000000 0x0000004bffffffff 0x000000000014220c',
    },
    16 * GIB,
    null,
  ],
  [
    'less than what is mapped',
    {
      'device/device': '0xe20b',
      'device/resource': '0x0000004800000000 0x0000004bffffffff 0x000000000014220c',
    },
    12 * GIB,
    null,
  ],
  [
    'a chip without memory of its own',
    { 'device/resource': '0x0000004000000000 0x000000400fffffff 0x000000000014220c' },
    24 * GIB,
    null,
  ],
])("Linux' files of Intel: %s", async (_, own, bytes, free) => {
  const files = Object.fromEntries(
    Object.entries({ 'device/vendor': '0x8086', ...own }).map(([file, text]) => [
      `/sys/class/drm/card0/${file}`,
      text,
    ]),
  );
  const [found] = await cardsOf(machine('linux', {}, files));
  expect(found).toMatchObject({ vendor: 'intel', bytes, free });
});

it("macOS' sysctl", async () => {
  const said = (limit: number) =>
    `machdep.cpu.brand_string: Apple M2 Max\nhw.memsize: 68719476736\niogpu.wired_limit_mb: ${limit}\n`;
  const [stock] = await cardsOf(machine('darwin', { '/usr/sbin/sysctl': said(0) }));
  expect(stock).toMatchObject({ name: 'Apple M2 Max', vendor: 'apple', bytes: Math.floor((128 / 3) * GIB) });
  const [raised] = await cardsOf(machine('darwin', { '/usr/sbin/sysctl': said(57344) }));
  expect(raised.bytes).toBe(56 * GIB);
});

const REGISTRY = String.raw`
HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}
    Class    REG_SZ    Display

HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}\0000
    DriverDesc    REG_SZ    AMD Radeon RX 6800
    MatchingDeviceId    REG_SZ    PCI\VEN_1002&DEV_73BF&REV_C3
    HardwareInformation.MemorySize    REG_BINARY    000000FF
    HardwareInformation.qwMemorySize    REG_QWORD    0x400000000

HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}\0000\UMD
    DriverDesc    REG_SZ    something else

HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}\0001
    DriverDesc    REG_SZ    Intel(R) UHD Graphics 770
    MatchingDeviceId    REG_SZ    PCI\VEN_8086&DEV_4680
    HardwareInformation.qwMemorySize    REG_QWORD    0x8000000

HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}\0002
    DriverDesc    REG_SZ    NVIDIA GeForce RTX 4090
    MatchingDeviceId    REG_SZ    pci\ven_10de&dev_2684
    HardwareInformation.qwMemorySize    REG_QWORD    0x5ff400000
`.replaceAll('\n', '\r\n');

it("Windows' registry, but nvidia-smi where it is", async () => {
  const [amd, intel, nvidia] = await cardsOf(machine('win32', { reg: REGISTRY }));
  expect(amd).toEqual({
    name: 'AMD Radeon RX 6800',
    vendor: 'amd',
    discrete: true,
    bytes: 16 * GIB,
    free: null,
    source: 'the registry',
  });
  expect(intel).toMatchObject({ vendor: 'intel', discrete: false, bytes: 16 * GIB });
  expect(nvidia).toMatchObject({ name: 'NVIDIA GeForce RTX 4090', bytes: 0x5ff400000, free: null });
  const both = await cardsOf(machine('win32', { reg: REGISTRY, 'nvidia-smi': SMI }));
  expect(both.filter(({ vendor }) => vendor === 'nvidia')).toMatchObject([{ source: 'nvidia-smi' }]);
});

it('finds nothing, and says how much memory there is, on this machine', async () => {
  expect(await cardsOf(machine('linux', {}))).toEqual([]);
  expect(Array.isArray(await nodeCards.list())).toBe(true);
  const { bytes, free } = nodeCards.machine();
  expect(free).toBeGreaterThan(0);
  expect(free).toBeLessThanOrEqual(bytes);
});
