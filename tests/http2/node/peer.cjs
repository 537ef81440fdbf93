// A service of gRPC and a caller of it on @grpc/grpc-js, without generated code: messages are bytes.
//
//   node peer.cjs serve           prints its port; ends when standard input does
//   node peer.cjs call TARGET     makes every kind of call, and prints what came of it as one line of JSON
'use strict';
const grpc = require('@grpc/grpc-js');

const same = (bytes) => bytes;
const kinds = { Echo: [false, false], Fail: [false, false], Many: [false, true], Sum: [true, false], Talk: [true, true], Wait: [false, false], IsGone: [false, false] };
const definition = Object.fromEntries(
  Object.entries(kinds).map(([name, [requestStream, responseStream]]) => [
    name,
    {
      path: `/lab.Echo/${name}`,
      requestStream,
      responseStream,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  ]),
);

function serve() {
  let gone = 0; // calls of Wait that were cancelled, by their caller or by their deadline
  const waiting = [];
  const server = new grpc.Server();
  server.addService(definition, {
    Echo: (call, answer) => {
      const trailers = new grpc.Metadata();
      trailers.set('x-seen-traceparent', String(call.metadata.get('traceparent')[0] ?? ''));
      answer(null, call.request, trailers);
    },
    Fail: (call, answer) => {
      const metadata = new grpc.Metadata();
      metadata.set('details-bin', Buffer.from([0, 255, 1]));
      answer({ code: grpc.status.NOT_FOUND, details: 'no such thing: ü', metadata });
    },
    Many: (call) => {
      for (let n = 0; n < 100; n++) call.write(Buffer.alloc(10000));
      call.end();
    },
    Sum: (call, answer) => {
      let sum = 0;
      call.on('data', (bytes) => (sum += bytes.length));
      call.on('end', () => answer(null, Buffer.from(String(sum))));
    },
    Talk: (call) => {
      call.on('data', (bytes) => call.write(Buffer.concat([Buffer.from('re: '), bytes])));
      call.on('end', () => call.end());
    },
    Wait: (call) => {
      call.on('cancelled', () => {
        gone++;
        waiting.splice(0).forEach((tell) => tell());
      });
    },
    IsGone: (call, answer) => {
      const tell = () => (gone >= Number(String(call.request)) ? answer(null, Buffer.from('gone')) : waiting.push(tell));
      tell();
    },
  });
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(port);
  });
  process.stdin.on('end', () => process.exit(0)).resume();
}

async function call(target) {
  const Client = grpc.makeGenericClientConstructor(definition, 'Echo');
  const client = new Client(target, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  metadata.set('x-b3-traceid', '463ac35c9f6413ad48485a3953bb6124');
  metadata.set('x-b3-spanid', 'a2fb4a1d1a96d312');
  metadata.set('x-b3-sampled', '1');
  const told = {};
  const unary = (name, request, options = {}) =>
    new Promise((resolve) => {
      let trailers;
      const made = client[name](request, metadata, options, (error, answer) =>
        setImmediate(() => resolve({ error, answer, trailers })),
      );
      made.on('status', (status) => (trailers = status.metadata));
    });
  const echo = await unary('Echo', Buffer.alloc(3 * 1024 * 1024, 7));
  told.echo = echo.answer?.length;
  told.traceparent = echo.trailers?.get('x-seen-traceparent')[0];
  const fail = await unary('Fail', Buffer.alloc(0));
  told.fail = [fail.error?.code, fail.error?.details, fail.error?.metadata.get('details-bin')[0]?.toString('hex')];
  told.deadline = (await unary('Wait', Buffer.alloc(0), { deadline: Date.now() + 200 })).error?.code;
  told.cancelled = await new Promise((resolve) => {
    const made = client.Wait(Buffer.alloc(0), metadata, (error) => resolve(error?.code));
    setTimeout(() => made.cancel(), 200);
  });
  told.gone = String((await unary('IsGone', Buffer.from('2'), { deadline: Date.now() + 10000 })).answer);
  told.many = await new Promise((resolve, reject) => {
    let sum = 0;
    client.Many(Buffer.from('100,10000')).on('data', (bytes) => (sum += bytes.length)).on('end', () => resolve(sum)).on('error', reject);
  });
  told.sum = await new Promise((resolve, reject) => {
    const made = client.Sum((error, answer) => (error ? reject(error) : resolve(String(answer))));
    for (let n = 0; n < 100; n++) made.write(Buffer.alloc(10000));
    made.end();
  });
  told.talk = await new Promise((resolve, reject) => {
    const said = [];
    const made = client.Talk();
    made.on('error', reject).on('end', () => resolve(said));
    made.on('data', (bytes) => {
      said.push(String(bytes));
      if (said.length < 3) made.write(Buffer.from(String(said.length)));
      else made.end();
    });
    made.write(Buffer.from('0'));
  });
  console.log(JSON.stringify(told));
  client.close();
}

if (process.argv[2] === 'serve') serve();
else call(process.argv[3]).catch((error) => (console.error(error), process.exit(1)));
