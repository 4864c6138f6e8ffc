/** Units of work, and who does them. */
export {
  type Exchange,
  localExchange,
  type UnitBatch,
  type UnitKind,
  type UnitStep,
  type Work,
  type WorkContext,
} from './exchange.js';
