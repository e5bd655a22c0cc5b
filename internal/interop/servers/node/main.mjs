// Both authorization servers, in one process. It is stopped by SIGTERM.
import './oidc.mjs';
import './mock.mjs';

process.on('SIGTERM', () => process.exit(0));
