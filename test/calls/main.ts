import { printUnpassed } from '../../src/flows/unpassed';
import { unpassed } from './unpassed';

/** The second half of `npm run cases`: src/flows/unpassed.json. */

process.stdout.write(printUnpassed(await unpassed()));
