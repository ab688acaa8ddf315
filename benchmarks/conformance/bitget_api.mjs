// The npm client bitget-api (REST and sockets, v2) on a simulator: one line for each call, a sum at the end.
// Run by scripts/conformance.sh in a folder of its own: node bitget_api.mjs http://127.0.0.1:PORT
import { RestClientV2, WebsocketClientV2 } from "bitget-api";

const base = process.argv[2].replace(/\/$/, "");
const keys = { apiKey: "sim-key", apiSecret: "sim-secret", apiPass: "sim-passphrase" };
const client = new RestClientV2({ ...keys, baseUrl: base });
const product = "USDT-FUTURES";
const one = { symbol: "BTCUSDT", productType: product };
const coin = { ...one, marginCoin: "USDT" };
const order = { ...coin, marginMode: "crossed" };
let passed = 0;
const failed = [];

function note(name, problem) {
  if (problem) failed.push(name);
  else passed += 1;
  console.log(`${problem ? "FAIL" : "ok  "} bitget-api: ${name}${problem ? ": " + problem : ""}`);
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function call(name, make, check = (data) => data !== undefined) {
  await pause(120); // the simulator counts calls a second, as the venue does
  try {
    const answer = await make();
    note(name, answer.code === "00000" && check(answer.data) ? "" : `unexpected: ${JSON.stringify(answer).slice(0, 300)}`);
    return answer.data;
  } catch (problem) {
    note(name, JSON.stringify(problem.body ?? problem.message ?? problem).slice(0, 300));
    return {};
  }
}

async function refused(name, make, code) {
  await pause(120);
  try {
    note(name, `was not refused: ${JSON.stringify(await make()).slice(0, 200)}`);
  } catch (problem) {
    const told = problem.body ?? problem;
    note(name, told.code === code ? "" : `refused otherwise: ${JSON.stringify(told).slice(0, 200)}`);
  }
}

async function market() {
  await call("getServerTime", () => client.getServerTime(), (row) => Number(row.serverTime) > 1.6e12);
  await call("getFuturesContractConfig", () => client.getFuturesContractConfig({ productType: product }), (rows) => rows.length === 20);
  await call("getFuturesTicker", () => client.getFuturesTicker(one), (rows) => Number(rows[0].lastPr) > 0);
  await call("getFuturesAllTickers", () => client.getFuturesAllTickers({ productType: product }), (rows) => rows.length === 20);
  await call("getFuturesMergeDepth", () => client.getFuturesMergeDepth({ ...one, limit: "15", precision: "scale1" }), (row) => row.asks.length === 15);
  await call("getFuturesRecentTrades", () => client.getFuturesRecentTrades({ ...one, limit: "10" }), (rows) => Array.isArray(rows));
  await call("getFuturesHistoricTrades", () => client.getFuturesHistoricTrades({ ...one, limit: "10" }), (rows) => Array.isArray(rows));
  for (const name of ["getFuturesCandles", "getFuturesHistoricCandles", "getFuturesHistoricIndexPriceCandles", "getFuturesHistoricMarkPriceCandles"])
    await call(name, () => client[name]({ ...one, granularity: "15m", limit: "50" }), (rows) => rows.length === 50 && rows[0].length >= 7);
  await call("getFuturesOpenInterest", () => client.getFuturesOpenInterest(one), (row) => Number(row.openInterestList[0].size) > 0);
  await call("getFuturesNextFundingTime", () => client.getFuturesNextFundingTime(one), (rows) => rows[0].ratePeriod === "8");
  await call("getFuturesSymbolPrice", () => client.getFuturesSymbolPrice(one), (rows) => Number(rows[0].markPrice) > 0);
  await call("getFuturesHistoricFundingRates", () => client.getFuturesHistoricFundingRates({ ...one, pageSize: "20" }), (rows) => rows.length === 20);
  await call("getFuturesCurrentFundingRate", () => client.getFuturesCurrentFundingRate(one), (rows) => rows[0].fundingRate);
  await call("getFuturesPositionTier", () => client.getFuturesPositionTier(one), (rows) => rows[0].leverage === "125");
}

async function account() {
  await call("getFuturesAccountAsset", () => client.getFuturesAccountAsset(coin), (row) => row.posMode && Number(row.accountEquity) > 0);
  await call("getFuturesAccountAssets", () => client.getFuturesAccountAssets({ productType: product }), (rows) => rows[0].marginCoin === "USDT");
  await call("setFuturesPositionMode", () => client.setFuturesPositionMode({ productType: product, posMode: "hedge_mode" }), (row) => row.posMode === "hedge_mode");
  await call("setFuturesMarginMode", () => client.setFuturesMarginMode({ ...coin, marginMode: "isolated" }), (row) => row.marginMode === "isolated");
  await call("setFuturesMarginMode back", () => client.setFuturesMarginMode({ ...coin, marginMode: "crossed" }));
  await call("setFuturesLeverage", () => client.setFuturesLeverage({ ...coin, leverage: "10" }), (row) => row.longLeverage === "10");
}

async function trading() {
  const legs = [["buy", "long"], ["sell", "short"]];
  for (const [side, held] of legs) {
    const done = await call(`open ${held}`, () => client.futuresSubmitOrder({ ...order, side, tradeSide: "open", orderType: "market", size: "0.02", clientOid: `open-${held}` }), (row) => row.clientOid === `open-${held}`);
    await call(`getFuturesOrder ${held}`, () => client.getFuturesOrder({ ...one, orderId: done.orderId }), (row) => row.state === "filled" && row.posSide === held && row.side === side && row.tradeSide === "open");
  }
  await refused("clientOid again", () => client.futuresSubmitOrder({ ...order, side: "buy", tradeSide: "open", orderType: "market", size: "0.02", clientOid: "open-long" }), "40786");
  await call("getFuturesPositions", () => client.getFuturesPositions({ productType: product, marginCoin: "USDT" }), (rows) => rows.map((row) => row.holdSide).sort().join() === "long,short");
  await call("getFuturesPosition", () => client.getFuturesPosition(coin), (rows) => rows.every((row) => row.total === "0.02" || row.total === "0.020"));
  await call("futuresSubmitTPSLOrder", () => client.futuresSubmitTPSLOrder({ ...coin, planType: "loss_plan", triggerPrice: "50000", triggerType: "mark_price", holdSide: "long", size: "0.01" }), (row) => row.orderId);
  await call("futuresSubmitPositionTPSL", () => client.futuresSubmitPositionTPSL({ ...coin, holdSide: "short", stopSurplusTriggerPrice: "50000", stopSurplusTriggerType: "mark_price", stopLossTriggerPrice: "80000", stopLossTriggerType: "mark_price" }), (rows) => rows.length === 2);
  const plans = await call("getFuturesPlanOrders", () => client.getFuturesPlanOrders({ productType: product, planType: "profit_loss" }), (row) => row.entrustedList.length === 3);
  const part = plans.entrustedList.find((row) => row.planType === "loss_plan");
  await call("futuresModifyTPSLPOrder", () => client.futuresModifyTPSLPOrder({ ...coin, orderId: part.orderId, triggerPrice: "51000", size: "0.02" }));
  const plan = await call("futuresSubmitPlanOrder", () => client.futuresSubmitPlanOrder({ ...order, planType: "normal_plan", size: "0.01", price: "55000", triggerPrice: "56000", triggerType: "fill_price", side: "buy", tradeSide: "open", orderType: "limit" }));
  await call("futuresModifyPlanOrder", () => client.futuresModifyPlanOrder({ productType: product, orderId: plan.orderId, newTriggerPrice: "57000", newSize: "0.02" }));
  await call("getFuturesPlanOrders normal_plan", () => client.getFuturesPlanOrders({ productType: product, planType: "normal_plan" }), (row) => row.entrustedList[0].triggerPrice === "57000.0" && row.entrustedList[0].size === "0.020");
  await call("futuresCancelPlanOrder", () => client.futuresCancelPlanOrder({ ...one, orderIdList: [{ orderId: plan.orderId }] }), (row) => row.successList.length === 1);
  await call("getFuturesHistoricPlanOrders", () => client.getFuturesHistoricPlanOrders({ productType: product, planType: "normal_plan" }), (row) => row.entrustedList[0].planStatus === "cancelled");
  await orders();
}

async function orders() {
  const list = ["59000", "58000"].map((price, at) => ({ size: "0.01", price, side: "buy", tradeSide: "open", orderType: "limit", force: "gtc", clientOid: `batch-${at}` }));
  await call("futuresBatchSubmitOrders", () => client.futuresBatchSubmitOrders({ ...order, orderList: list }), (row) => row.successList.length === 2);
  const open = await call("getFuturesOpenOrders", () => client.getFuturesOpenOrders({ productType: product }), (row) => row.entrustedList.length === 2);
  await call("futuresModifyOrder", () => client.futuresModifyOrder({ ...one, clientOid: "batch-0", newClientOid: "batch-9", newSize: "0.02", newPrice: "58500" }), (row) => row.clientOid === "batch-9");
  await refused("futuresCancelOrder of the old one", () => client.futuresCancelOrder({ ...one, clientOid: "batch-0" }), "40768");
  await call("futuresCancelOrder", () => client.futuresCancelOrder({ ...one, clientOid: "batch-9" }));
  await call("futuresBatchCancelOrders", () => client.futuresBatchCancelOrders({ ...one, orderIdList: [{ clientOid: "batch-1" }, { orderId: "1" }] }), (row) => row.successList.length === 1 && row.failureList.length === 1);
  await call("futuresCancelAllOrders", () => client.futuresCancelAllOrders({ productType: product }), (row) => row.successList.length === 0);
  await call("close long by order", () => client.futuresSubmitOrder({ ...order, side: "buy", tradeSide: "close", orderType: "market", size: "0.01" }));
  await call("futuresFlashClosePositions", () => client.futuresFlashClosePositions({ ...one, holdSide: "short" }), (row) => row.successList.length === 1);
  await pause(1100);
  await call("futuresFlashClosePositions of all", () => client.futuresFlashClosePositions({ productType: product }), (row) => row.successList.length === 1);
  await pause(1100);
  await refused("futuresFlashClosePositions of none", () => client.futuresFlashClosePositions({ productType: product }), "22002");
  await call("getFuturesFills", () => client.getFuturesFills({ ...one }), (row) => row.fillList.length >= 5);
  await call("getFuturesHistoricOrderFills", () => client.getFuturesHistoricOrderFills({ ...one }), (row) => row.fillList[0].feeDetail[0].totalFee.startsWith("-"));
  await call("getFuturesHistoricOrders", () => client.getFuturesHistoricOrders({ ...one }), (row) => row.entrustedList.length >= open.entrustedList.length + 4);
  await call("getFuturesHistoricPositions", () => client.getFuturesHistoricPositions({ productType: product }), (row) => row.list.length === 2);
  await call("getFuturesAccountBills", () => client.getFuturesAccountBills({ productType: product }), (row) => row.bills.length > 5);
  await refused("a wrong parameter", () => client.getFuturesTicker({ ...one, colour: "red" }), "400172");
}

async function sockets() {
  const heard = new Map();
  const quiet = { trace() {}, info() {}, error(...words) { console.log("     error:", JSON.stringify(words).slice(0, 200)); } };
  const open = (path, extra) => {
    const ws = new WebsocketClientV2({ ...extra, wsUrl: `${base.replace("http", "ws")}/v2/ws/${path}` }, quiet);
    ws.on("update", (row) => heard.set(row.arg.channel, row));
    ws.on("exception", (problem) => console.log("     exception:", JSON.stringify(problem).slice(0, 200)));
    return ws;
  };
  const outer = open("public", {});
  for (const channel of ["ticker", "books", "books5", "trade", "candle1m"]) outer.subscribeTopic(product, channel, "BTCUSDT");
  const inner = open("private", keys);
  for (const channel of ["orders", "positions", "fill", "orders-algo", "positions-history"]) inner.subscribeTopic(product, channel);
  inner.subscribeTopic(product, "account", "default");
  await pause(4000);
  await client.futuresSubmitOrder({ ...order, side: "buy", tradeSide: "open", orderType: "market", size: "0.02" });
  await client.futuresSubmitTPSLOrder({ ...coin, planType: "pos_loss", triggerPrice: "50000", triggerType: "mark_price", holdSide: "long" });
  await pause(1100);
  await client.futuresFlashClosePositions({ ...one });
  await pause(2500);
  for (const channel of ["ticker", "books", "books5", "trade", "candle1m", "account", "orders", "positions", "fill", "orders-algo", "positions-history"])
    note(`socket ${channel}`, heard.get(channel)?.data?.length !== undefined ? "" : "nothing came");
  outer.closeAll(true);
  inner.closeAll(true);
}

await market();
await account();
await trading();
await sockets();
console.log(`== bitget-api: ${passed} passed, ${failed.length} failed${failed.length ? ": " + failed.join(", ") : ""}`);
process.exit(failed.length ? 1 : 0);
