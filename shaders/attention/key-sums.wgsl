// Adds up what the parts of a tile of keys found: dk and dv of tiles whose visitors were cut over several workgroups.
//
//   dk, dv [T, Hkv, D]; D = 4 * D4. sums [slot, key head of this launch, OWN keys, dk and dv, D].
//   cut [tiles]: first key, end key, first slot, slots (src/kernels/attention/segments.ts, keyParts).
//
// One workgroup per tile and key head, from firstKvHead on; slots are added in order, so that the result is always the same.
#define D4 1..64      // head dimension / 4
#define OWN 8 | 16 | 32 | 64 // keys of a tile

struct Params { kvHeads: u32, firstKvHead: u32 }
#params Params

var<storage, read> sums: array<vec4f>;
var<storage, read> cut: array<vec4u>;
var<storage, read_write> dk: array<vec4f>;
var<storage, read_write> dv: array<vec4f>;

const D4 = ${D4}u;

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = cut[group.x];
  for (var e = lane; e < (tile.y - tile.x) * 2u * D4; e += 128u) {
    var sum = vec4f();
    for (var slot = tile.z; slot < tile.z + tile.w; slot++) {
      sum += sums[(slot * groups.y + group.y) * ${OWN}u * 2u * D4 + e];
    }
    let to = ((tile.x + e / (2u * D4)) * params.kvHeads + params.firstKvHead + group.y) * D4 + e % D4;
    if (e / D4 % 2u == 0u) { dk[to] = sum; } else { dv[to] = sum; }
  }
}
