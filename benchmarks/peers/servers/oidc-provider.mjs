// oidc-provider with two processes on PostgreSQL. The adapter and the sign-in page are written for this bench.
import cluster from 'node:cluster';
import fs from 'node:fs';
import http from 'node:http';
import argon2 from 'argon2';
import pg from 'pg';
import Provider from 'oidc-provider';

const { port, database, jwks, client, persons, password } = JSON.parse(fs.readFileSync('configuration.json'));
const pool = new pg.Pool({ ...database, max: 8 });

class Adapter {
  constructor(kind) { this.kind = kind; }

  key(id) { return `${this.kind}:${id}`; }

  async upsert(id, payload, seconds) {
    await pool.query({
      name: 'upsert',
      text: `INSERT INTO oidc (id, payload, grant_id, uid, user_code, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE SET payload = $2, grant_id = $3, uid = $4, user_code = $5, expires_at = $6`,
      values: [this.key(id), payload, payload.grantId ?? null, payload.uid ?? null, payload.userCode ?? null,
        seconds ? new Date(Date.now() + seconds * 1000) : null],
    });
  }

  async one(name, column, value) {
    const text = `SELECT payload, expires_at, consumed_at FROM oidc WHERE ${column} = $1`;
    const [row] = (await pool.query({ name, text, values: [value] })).rows;
    if (!row || (row.expires_at && row.expires_at < new Date())) return undefined;
    return row.consumed_at ? { ...row.payload, consumed: true } : row.payload;
  }

  find(id) { return this.one('find', 'id', this.key(id)); }

  findByUid(uid) { return this.one('by-uid', 'uid', uid); }

  findByUserCode(code) { return this.one('by-user-code', 'user_code', code); }

  async destroy(id) {
    await pool.query({ name: 'destroy', text: 'DELETE FROM oidc WHERE id = $1', values: [this.key(id)] });
  }

  async consume(id) {
    await pool.query({
      name: 'consume', text: 'UPDATE oidc SET consumed_at = now() WHERE id = $1', values: [this.key(id)],
    });
  }

  async revokeByGrantId(grant) {
    await pool.query({ name: 'revoke', text: 'DELETE FROM oidc WHERE grant_id = $1', values: [grant] });
  }
}

async function serve() {
  const hash = await argon2.hash(password, { memoryCost: 19456, timeCost: 2, parallelism: 1 });
  const users = new Map(Array.from({ length: persons }, (_, number) => [`bench${number}`, hash]));
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    adapter: Adapter,
    jwks,
    cookies: { keys: ['a key for a bench'] },
    clients: [{
      client_id: client.client_id,
      client_secret: client.client_secret,
      redirect_uris: [client.redirect_uri],
      grant_types: ['authorization_code', 'client_credentials'],
      response_types: ['code'],
      scope: 'openid profile email api',
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'ES256',
    }],
    scopes: ['openid', 'profile', 'email', 'api'],
    claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ scope: 'api', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
      },
    },
    findAccount: (_, id) => ({
      accountId: id, claims: () => ({ sub: id, name: 'Bench User', email: 'bench@example.org' }),
    }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    // The persons have agreed before, as at every peer.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client.clientId, accountId: oidc.session.accountId,
      });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  });
  provider.on('server_error', (_, error) => console.error(error));
  const answer = provider.callback();

  async function interact(request, response) {
    const { uid } = await provider.interactionDetails(request, response);
    if (request.method === 'GET') {
      response.setHeader('content-type', 'text/html');
      response.end(`<!doctype html><form method="post" action="/interaction/${uid}"><input name="username">`
        + '<input type="password" name="password"><button type="submit">Sign in</button></form>');
      return;
    }
    let body = '';
    for await (const chunk of request) body += chunk;
    const form = new URLSearchParams(body);
    const known = users.get(form.get('username'));
    const proved = known && await argon2.verify(known, form.get('password'));
    const result = proved ? { login: { accountId: form.get('username') } } : { error: 'access_denied' };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }

  http.createServer((request, response) => {
    if (!request.url.startsWith('/interaction/')) return answer(request, response);
    return interact(request, response).catch((error) => {
      console.error(error);
      response.statusCode = 500;
      response.end();
    });
  }).listen(port, '127.0.0.1');
}

if (cluster.isPrimary) {
  await pool.query(`
    CREATE TABLE oidc (id text PRIMARY KEY, payload jsonb, grant_id text, uid text, user_code text,
                       expires_at timestamptz, consumed_at timestamptz);
    CREATE INDEX ON oidc (grant_id) WHERE grant_id IS NOT NULL;
    CREATE INDEX ON oidc (uid) WHERE uid IS NOT NULL`);
  await pool.end();
  for (let worker = 0; worker < 2; worker += 1) cluster.fork();
} else {
  await serve();
}
