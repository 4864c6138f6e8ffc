// The largest magnitudes in q, k, v (and gradOut), as bits, which order magnitudes as the numbers do: what attention/pack.wgsl
// scales them by to fit f16. Infinities and NaN do not count. `largest` must hold zeros before.
#define GRADIENT // gradOut is there

struct Params { groups: u32 }
#params Params

var<storage, read> q: array<vec4u>;
var<storage, read> k: array<vec4u>;
var<storage, read> v: array<vec4u>;
#if GRADIENT
var<storage, read> gradOut: array<vec4u>;
#endif
var<storage, read_write> largest: array<atomic<u32>, 4>;

var<workgroup> found: atomic<u32>;

fn four(which: u32, at: u32) -> vec4u {
  if (which == 0u) { return q[at]; }
  if (which == 1u) { return k[at]; }
#if GRADIENT
  if (which == 3u) { return gradOut[at]; }
#endif
  return v[at];
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let which = group.y;
  var count = arrayLength(&v);
  if (which == 0u) { count = arrayLength(&q); }
  if (which == 1u) { count = arrayLength(&k); }
#if GRADIENT
  if (which == 3u) { count = arrayLength(&gradOut); }
#endif
  var high = vec4u();
  for (var at = group.x * 256u + lane; at < count; at += params.groups * 256u) {
    let size = four(which, at) & vec4u(0x7fffffffu);
    high = max(high, select(size, vec4u(), size >= vec4u(0x7f800000u)));
  }
  atomicMax(&found, max(max(high.x, high.y), max(high.z, high.w)));
  workgroupBarrier();
  if (lane == 0u) { atomicMax(&largest[which], atomicLoad(&found)); }
}
