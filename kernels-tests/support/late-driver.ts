/** A driver that tells of errors late: whatever it has to say comes after the numbers that the error spoilt. */

/** How late, far beyond the time that a read-back of the tests takes. */
const LATE_MS = 60;

/** Failures that no test can bring about on a real driver. */
export interface Failures {
  /** Buffers of at least this many bytes are out of memory. */
  memoryLimit?: number;
  /** The device is lost for this reason. */
  loss?: Promise<string>;
}

/** `gpu`, with the same adapters and devices, except that word of errors and of the device's loss comes late. */
export function lateDriver(gpu: GPU, failures: Failures = {}): GPU {
  return changed(gpu, {
    requestAdapter: async (options?: GPURequestAdapterOptions) => {
      const adapter = await gpu.requestAdapter(options);
      return (
        adapter &&
        changed(adapter, {
          requestDevice: async (descriptor?: GPUDeviceDescriptor) =>
            lateDevice(await adapter.requestDevice(descriptor), failures),
        })
      );
    },
  });
}

function lateDevice(device: GPUDevice, failures: Failures): GPUDevice {
  /** Open scopes, outermost first, with what the failures above put into them. */
  const scopes: { kind: GPUErrorFilter; error: GPUError | null }[] = [];
  return changed(device, {
    lost: late(
      Promise.race([
        device.lost,
        ...(failures.loss ? [failures.loss.then((message) => ({ reason: 'unknown', message }))] : []),
      ]),
    ),
    pushErrorScope: (kind: GPUErrorFilter) => {
      scopes.push({ kind, error: null });
      device.pushErrorScope(kind);
    },
    popErrorScope: async () => {
      const scope = scopes.pop();
      const answer = device.popErrorScope();
      return late(answer.then((error) => error ?? scope?.error ?? null));
    },
    createShaderModule: (descriptor: GPUShaderModuleDescriptor) => {
      const made = device.createShaderModule(descriptor);
      const info = made.getCompilationInfo.bind(made);
      made.getCompilationInfo = () => late(info());
      return made;
    },
    createBuffer: (descriptor: GPUBufferDescriptor) => {
      const buffer = device.createBuffer(descriptor);
      if (descriptor.size >= (failures.memoryLimit ?? Number.POSITIVE_INFINITY)) {
        const scope = scopes.findLast(({ kind }) => kind === 'out-of-memory');
        if (scope) scope.error ??= new GPUOutOfMemoryError('the driver has no more');
        buffer.destroy();
      }
      return buffer;
    },
    addEventListener: (type: string, listener: (event: Event) => void) =>
      device.addEventListener(type, (event: Event) => setTimeout(listener, LATE_MS, event)),
  });
}

async function late<T>(answer: Promise<T>): Promise<T> {
  const value = await answer;
  await new Promise((resolve) => setTimeout(resolve, LATE_MS));
  return value;
}

/** `target` with some of its members replaced; its own methods see the target itself, as native classes demand. */
function changed<T extends object>(target: T, members: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(target, {
    get(_, name) {
      if (name in members) return members[name as keyof T];
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
