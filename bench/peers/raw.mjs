// A hand-written matrix product without an engine: what a simple kernel reaches on this adapter. Not a peer.
// Also the shortest example of a contestant.

const ROWS = 16; // per invocation, of one column
const WORKGROUP = 64;

const SHADER = /* wgsl */ `
override m: u32; override k: u32; override n: u32;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let row = id.y * ${ROWS}u;
  if (column >= n) { return; }
  var sums: array<f32, ${ROWS}>;
  for (var p = 0u; p < k; p++) {
    let x = b[p * n + column];
    for (var i = 0u; i < ${ROWS}u; i++) { sums[i] += a[min(row + i, m - 1u) * k + p] * x; }
  }
  for (var i = 0u; i < ${ROWS}u; i++) {
    if (row + i < m) { c[(row + i) * n + column] = sums[i]; }
  }
}`;

/** @returns {import("./harness.mjs").Contestant} */
export function raw() {
  /** @type {GPUDevice} */
  let device;

  const upload = ({ data }) => {
    const buffer = device.createBuffer({
      size: data.byteLength,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  };

  async function product({ sizes: { m, k, n }, inputs }) {
    const { a, b } = inputs();
    const size = 4 * m * n;
    const output = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    const buffers = [upload(a), upload(b), output];
    const pipeline = await device.createComputePipelineAsync({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code: SHADER }), constants: { m, k, n } },
    });
    const bindings = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    return {
      run() {
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindings);
        pass.dispatchWorkgroups(Math.ceil(n / WORKGROUP), Math.ceil(m / ROWS));
        pass.end();
        device.queue.submit([encoder.finish()]);
      },
      wait: () => device.queue.onSubmittedWorkDone(),
      async result() {
        const staging = device.createBuffer({
          size,
          usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
        });
        const encoder = device.createCommandEncoder();
        encoder.copyBufferToBuffer(output, 0, staging, 0, size);
        device.queue.submit([encoder.finish()]);
        await staging.mapAsync(GPUMapMode.READ);
        const values = new Float32Array(staging.getMappedRange().slice(0));
        staging.destroy();
        return values;
      },
      dispose: () =>
        buffers.forEach((buffer) => {
          buffer.destroy();
        }),
    };
  }

  return {
    name: 'raw-wgsl',
    kind: 'webgpu',
    peer: false,
    async setup({ gpu }) {
      const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
      device = await adapter.requestDevice();
    },
    items: { mm256: product, mm512: product, mm1024: product, matvec: product },
    teardown: () => device.destroy(),
  };
}
