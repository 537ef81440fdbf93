// Node.js' own client of HTTP/2 in front of a sidecar: what comes out of a stream that is a tunnel, in hex.
//
//   node tunnel.cjs connect URL AUTHORITY SENT     CONNECT, then these bytes (hex) and the end
//   node tunnel.cjs websocket URL SENT             an extended CONNECT (RFC 8441), the same
'use strict';
const http2 = require('node:http2');

const [kind, url, ...rest] = process.argv.slice(2);
const client = http2.connect(url);
client.on('error', (error) => (console.error(error), process.exit(1)));
client.on('remoteSettings', (settings) => {
  if (kind === 'websocket' && !settings.enableConnectProtocol) throw new Error('no SETTINGS_ENABLE_CONNECT_PROTOCOL');
  const fields =
    kind === 'connect'
      ? { ':method': 'CONNECT', ':authority': rest[0] }
      : { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' };
  const stream = client.request(fields, { endStream: false });
  const came = [];
  stream.on('response', (head) => {
    came.push(`${head[':status']} `);
    stream.end(Buffer.from(rest[rest.length - 1], 'hex'));
  });
  stream.on('data', (bytes) => came.push(bytes.toString('hex')));
  stream.on('end', () => {
    console.log(came.join(''));
    client.close();
  });
});
