// The keys that a tile of query rows sees, in blocks: first those of its prefix, then those of its own segment. A block
// never spans both, so that one test per block says which keys a causal mask may hide.
//
// tile = (first row, end of rows, first key, end of keys) and more = (prefix start, end, whether rows see all keys of their
// own, gap) stand in the table of query tiles (src/kernels/attention/segments.ts). The wide-*.wgsl kernels write the same out: with two keys to a turn, carrying the
// structs costs a sixth of their time on software drivers.
#include "attention/window.wgsl"

struct KeyBlocks { prefix: vec2u, own: vec2u, inPrefix: u32, count: u32 }
struct KeyBlock { first: u32, end: u32, inPrefix: bool }

// Causal rows see no key behind themselves, and no row one that the first row does not see any more.
fn keyBlocks(tile: vec4u, more: vec4u, causal: bool, size: u32) -> KeyBlocks {
  let ownEnd = select(tile.w, min(tile.w, tile.y), causal);
  let own = vec2u(firstWithin(tile.z, ownEnd, tile.x, 0u), ownEnd);
  let prefix = vec2u(firstWithin(more.x, more.y, tile.x, more.w), more.y);
  let inPrefix = (prefix.y - prefix.x + size - 1u) / size;
  return KeyBlocks(prefix, own, inPrefix, inPrefix + (own.y - own.x + size - 1u) / size);
}

// Block i; `end` is the end of its stretch, so that only the last block of a stretch is cut short by it.
fn keyBlock(blocks: KeyBlocks, i: u32, size: u32) -> KeyBlock {
  let inPrefix = i < blocks.inPrefix;
  let first = select(blocks.own.x + (i - blocks.inPrefix) * size, blocks.prefix.x + i * size, inPrefix);
  return KeyBlock(first, select(blocks.own.y, blocks.prefix.y, inPrefix), inPrefix);
}
