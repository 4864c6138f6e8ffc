// The walk that elementwise shaders share. The including file defines `fn element(at: u32)`, which handles one Value
// (vec4f where every size is a multiple of four, else f32), and Params with `size`, counted in Values.
//
// A workgroup owns TURNS blocks of four Values per invocation. Blocks inside the tensor take the branch without guards:
// on software adapters every guard and every workgroup costs more than an element.
#define VEC4 // a Value is a vec4f
#include "common/grid.wgsl"

#if VEC4
alias Value = vec4f;
#else
alias Value = f32;
#endif

override WORKGROUP: u32 = 64;
override TURNS: u32 = 1;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = linearWorkgroup(group, groups) * WORKGROUP * 4u * TURNS;
  for (var turn = 0u; turn < TURNS; turn++) {
    let block = start + turn * WORKGROUP * 4u;
    let at = block + lane;
    if (block + WORKGROUP * 4u <= params.size) {
#for i in 0..4
      element(at + ${i}u * WORKGROUP);
#endfor
    } else {
#for i in 0..4
      if (at + ${i}u * WORKGROUP < params.size) { element(at + ${i}u * WORKGROUP); }
#endfor
    }
  }
}
