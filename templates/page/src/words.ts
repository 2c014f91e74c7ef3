// Words: what the page says, in English and Chinese. English is the key; what has no translation stays English.

export const CHINESE: Record<string, string> = {
  "The lighter a place, the more it counts. Each frame is a layer; [ and ] go through them.":
    "越亮的位置越重要。每一帧是一层；用 [ 和 ] 切换。",
  "A bar is the factor by which a channel is multiplied; pink marks are those of the input before. Where the map that a gate is for is in the page, a click on a bar shows its channel.":
    "每个条是该通道所乘的系数；粉色标记是上一个输入的系数。页面中有该门控所作用的图时，点击一个条可查看该通道。",
  "A gate for each row and one for each column of each channel. Left: their mean over the channels, over the picture. Right: every channel's.":
    "每个通道的每一行和每一列各有一个门控。左：通道平均，叠加在图片上。右：各个通道。",
  "Red positions resemble each other, blue ones are opposed. Click on a row of the similarities to choose a position.":
    "红色表示位置相似，蓝色表示相反。点击相似度的一行来选择位置。",
  "The pink frame is the query; the lighter a place, the more it takes from there. Click to choose another; arrows move it, [ and ] go through layers, h through heads.":
    "粉色框是查询；越亮的位置，它从那里取得越多。点击选择其他位置；方向键移动，[ 和 ] 切换层，h 切换头。",
  "What no other view knows, as it lies in memory: the last dimension across.":
    "其他视图不认识的图，按内存顺序显示：最后一维为横向。",
  "Further maps": "其他图",
  Positions: "位置",
  "Rows and columns: coordinate attention": "行与列：坐标注意力",
  "Rollout (Abnar and Zuidema 2020): the product over the layers of (A + I) / 2, A being the mean over the heads.":
    "Rollout（Abnar 与 Zuidema，2020）：各层 (A + I) / 2 的乘积，A 为各头的平均。",
  "Token by token: self-attention": "逐个词元：自注意力",
  "Where: maps over the picture": "哪里：叠加在图片上的图",
  "Which channels: gates": "哪些通道：门控",
  "a recording: the model itself is not in this page": "这是录制的结果：页面中没有模型本身",
  after: "之后",
  all: "全部",
  "all layers": "所有层",
  "all maps": "所有图",
  "all queries": "所有查询",
  "all tokens in a row": "所有词元排成一行",
  back: "上一步",
  before: "之前",
  bits: "比特",
  "by change": "按变化",
  "by channel": "按通道",
  "by gate": "按门控值",
  camera: "摄像头",
  channel: "通道",
  closed: "关闭",
  "code of each position": "每个位置的编码",
  colours: "配色",
  differs: "有差异",
  "drop, paste or choose a picture": "拖放、粘贴或选择一张图片",
  "each channel": "各个通道",
  "guided walk": "导览",
  head: "头",
  "largest of the heads": "各头的最大值",
  layer: "层",
  layers: "各层",
  loading: "正在加载",
  "mean of the heads": "各头的平均",
  "mean over the channels": "通道平均",
  numbers: "数值",
  on: "下一步",
  "one scale for all": "统一刻度",
  opacity: "不透明度",
  open: "打开",
  order: "排序",
  "own scale": "独立刻度",
  query: "查询",
  rollout: "Rollout",
  run: "运行",
  running: "正在运行",
  "save all as npz": "全部存为 npz",
  "shared scale": "共用刻度",
  signed: "有符号配色",
  "similarity (cosine)": "相似度（余弦）",
  "similarity to position": "与该位置的相似度：",
  smooth: "平滑",
  "these are not all numbers": "并非全是数字",
  "this model has none of the attention that the walk is about": "这个模型没有导览所讲的注意力",
  "this page has recordings of its samples alone": "本页只有样例的录制结果",
  "too large to be drawn; save all as npz": "太大，无法绘制；请全部存为 npz",
  "too many numbers for a table; export them": "数值太多，无法列成表格；请导出",
  weights: "权重",
  "without vectors": "无向量指令",
};

let language: "en" | "zh" = globalThis.navigator?.language.startsWith("zh") ? "zh" : "en";

export const words = (english: string): string => (language === "zh" ? (CHINESE[english] ?? english) : english);
export const currentLanguage = (): "en" | "zh" => language;
export function speak(next: "en" | "zh"): void {
  language = next;
  document.documentElement.lang = next;
}
