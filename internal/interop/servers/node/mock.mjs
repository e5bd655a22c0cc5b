// The token endpoint of oauth2-mock-server on loopback, which grants what it is asked for, and a port that has it fail:
// POST /fail?times=n&status=s makes the next n calls fail, and GET /calls lists those that there were.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { OAuth2Server } from 'oauth2-mock-server';

const { mock: port, control } = JSON.parse(readFileSync('settings.json', 'utf8'));
const calls = [];
let failing = { times: 0, status: 0 };

const mock = new OAuth2Server('server.key', 'server.pem');
await mock.issuer.keys.generate('RS256');
mock.service.on('beforeResponse', (answer, request) => {
  if (failing.times > 0) {
    failing.times -= 1;
    answer.statusCode = failing.status;
    answer.body = { error: 'temporarily_unavailable' };
  }
  calls.push({
    grant: request.body.grant_type, user: request.body.username, refresh: request.body.refresh_token,
    client: request.body.client_id, status: answer.statusCode,
  });
});
await mock.start(port, '127.0.0.1');

createServer((request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  if (request.method === 'POST' && url.pathname === '/fail') {
    failing = { times: Number(url.searchParams.get('times')), status: Number(url.searchParams.get('status')) };
  }
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(calls));
}).listen(control, '127.0.0.1');
