// Two PouchDB databases in one process, one of them behind HTTP: a first replication, one with
// nothing changed, and one with some documents changed, each both ways.
//
// `node pouchdb.mjs CHARTS CHANGED` reads a FHIR bundle a line from the file CHARTS and makes one
// document of each. It prints one JSON document a row. Bytes are those of HTTP.
import { readFileSync } from "node:fs"
import net from "node:net"
import express from "express"
import expressPouchDB from "express-pouchdb"
import PouchDB from "pouchdb"
import memory from "pouchdb-adapter-memory"
import { chart, mostResident, print } from "./work.mjs"

PouchDB.plugin(memory)
const InMemory = PouchDB.defaults({ adapter: "memory" })
const served = expressPouchDB(InMemory, { mode: "minimumForPouchDB", inMemoryConfig: true })
const server = express().use("/", served).listen(0, "127.0.0.1")
await new Promise(done => server.once("listening", done))

// What goes through the proxy is counted.
const wire = { there: 0, back: 0 }
const proxy = net.createServer(client => {
  const upstream = net.connect(server.address().port, "127.0.0.1")
  client.on("data", bytes => (wire.there += bytes.length))
  upstream.on("data", bytes => (wire.back += bytes.length))
  client.pipe(upstream).pipe(client)
  for (const end of [client, upstream]) end.on("error", () => {})
})
await new Promise(done => proxy.listen(0, "127.0.0.1", done))

const [charts, changed] = process.argv.slice(2)
const hill = new InMemory("hill")
const river = `http://127.0.0.1:${proxy.address().port}/river`
const documents = readFileSync(charts, "utf8")
  .split("\n")
  .filter(line => line)
  .map((line, number) => ({ _id: `chart-${number}`, resources: chart(line) }))
await hill.bulkDocs(documents)

async function replicate(row) {
  Object.assign(wire, { there: 0, back: 0 })
  const begun = performance.now()
  await hill.sync(new PouchDB(river))
  const seconds = (performance.now() - begun) / 1000
  print(row, { seconds, there: wire.there, back: wire.back })
}

await replicate("first")
print("resident", { both: mostResident() })
await replicate("nothing")
for (let number = 0; number < Number(changed); number++) {
  const document = await hill.get(`chart-${number}`)
  document.resources[`Observation/changed-${number}`] = {
    resourceType: '"Observation"',
    status: '"final"',
    valueString: '"seen today: better, to come again in a week"',
  }
  await hill.put(document)
}
await replicate("changed")
const there = await new PouchDB(river).info()
if (there.doc_count !== documents.length) throw new Error(`${there.doc_count} documents arrived`)
process.exit(0)
