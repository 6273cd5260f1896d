import { MemoryBroker, MemoryStore } from '@taskq/testing';
import { describeBroker } from './port/describe-broker.js';

describeBroker('MemoryBroker', async () => {
  const store = new MemoryStore();
  return { connect: async () => new MemoryBroker({ store }), close: async () => {} };
});
