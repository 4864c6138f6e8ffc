/** Units of work, and who does them. */
export {
  type Codec,
  type Exchange,
  localExchange,
  type Shelf,
  UNIT_KINDS,
  type UnitBatch,
  UnitFailure,
  type UnitKind,
  type UnitStep,
  type WeightPort,
  type Work,
  type WorkContext,
} from './exchange.js';
export { cutLists, joinLists, type Packet, type PacketArray, type PacketJson } from './packet.js';
