#!/usr/bin/env node
// What Netron shows of files: node tools/netron.mjs NETRON FILE...
//
// NETRON is the folder of the Python package `netron` (pip install netron; the folder site-packages/netron), whose own
// sources do it, without a browser. For each file a line of JSON: {"file", "format", "nodes": {type: how often},
// "tensors": [names]}, or {"file", "error"}. The exit status is 1 where a file is not opened.

import * as fs from "node:fs";
import * as path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
if (!files.length) {
  console.error("usage: node tools/netron.mjs NETRON FILE...");
  process.exit(2);
}
const load = (name) => import(pathToFileURL(path.resolve(folder, name)).href);
const base = await load("base.js");
const view = await load("view.js");

// What a browser is to Netron: where its own files and its modules are.
const own = (file, encoding) => {
  const data = fs.readFileSync(path.join(folder, file));
  return encoding ? data.toString(encoding) : new base.BinaryStream(new Uint8Array(data));
};
const host = {
  type: "Node", version: "0", environment: () => null, event: () => {}, message: () => {},
  asset: async (file) => own(file, "utf-8"),
  require: (name) => load(name + ".js"),
  exception: (error) => { throw error; },
};

function contextOf(file) {
  const name = path.basename(file);
  const fetch = async (wanted, encoding, at) => {
    if (at !== undefined) return own(wanted, encoding);
    throw new Error(`File not found '${wanted}'.`);
  };
  return {
    name, identifier: name, entries: new Map(), stream: new base.BinaryStream(new Uint8Array(fs.readFileSync(file))),
    asset: host.asset, require: host.require, request: fetch, fetch, error: (error) => { throw error; },
  };
}

function shown(model) {
  const nodes = {};
  const tensors = new Set();
  for (const graph of model.modules || model.graphs) {
    for (const node of graph.nodes) {
      nodes[node.type.name] = (nodes[node.type.name] || 0) + 1;
      for (const argument of node.inputs || [])
        for (const value of Array.isArray(argument.value) ? argument.value : [])
          if (value && value.initializer) tensors.add(value.name || value.initializer.name);
    }
  }
  return { format: model.format, nodes, tensors: [...tensors] };
}

for (const file of files) {
  let found;
  try {
    found = shown(await new view.ModelFactoryService(host).open(contextOf(file)));
  } catch (error) {
    found = { error: (error.cause || error).message };
    process.exitCode = 1;
  }
  console.log(JSON.stringify({ file: path.basename(file), ...found }));
}
