// The guided walk: the ideas of attention in the order in which they were found, each on this model's own maps.
import { element } from "./elements.ts";
import type { ProbeMap } from "./views/view.ts";
import { currentLanguage, words } from "./words.ts";

type Text = Record<"en" | "zh", string>;

export interface Step {
  title: Text;
  text: Text;
  /** Which of the model's maps it is about. */
  shows: (map: ProbeMap) => boolean;
}

const isOf =
  (...families: string[]) =>
  ({ probe }: ProbeMap): boolean =>
    families.includes(probe.family);

export const STEPS: Step[] = [
  {
    title: { en: "Global average pooling and class activation maps", zh: "全局平均池化与类激活图" },
    text: {
      en: "A classifier that ends in the mean of each channel and one linear layer is a sum over places: before the mean is taken, each place has its own share of the class's score. Drawn as a map, these shares show which parts of the picture spoke for the class that was predicted (Zhou et al. 2016).",
      zh: "如果分类器以各通道的均值加一个线性层结尾，那么类别得分就是对各个位置求和：在取均值之前，每个位置都对得分有自己的贡献。把这些贡献画成图，就能看到图片的哪些部分支持了预测的类别（Zhou 等，2016）。",
    },
    shows: isOf("cam"),
  },
  {
    title: { en: "Squeeze and excitation: which channels", zh: "压缩与激励：哪些通道" },
    text: {
      en: "The mean of each channel goes through two small layers and a sigmoid; what comes out is a gate for each channel, by which the whole channel is multiplied. A gate near 1 lets a channel through, a gate near 0 closes it. Choose another picture: gates that change with the picture select, those that do not are mere scales (Hu et al. 2018).",
      zh: "各通道的均值经过两个小的全连接层和一个 sigmoid，得到每个通道的门控值，整个通道都乘以它。接近 1 的门让通道通过，接近 0 的门把它关闭。换一张图片试试：随图片变化的门在做选择，不变的门只是缩放（Hu 等，2018）。",
    },
    shows: isOf("se", "ese", "eca", "ge", "sk", "split_attention"),
  },
  {
    title: { en: "CBAM: which channels, then where", zh: "CBAM：先看通道，再看位置" },
    text: {
      en: "A gate for each channel, made of its mean and its maximum, is followed by a gate for each place, made of the mean and the maximum over the channels. The second one is a map that lies over the picture (Woo et al. 2018). Coordinate attention, global context and their kin ask the same two questions in other ways.",
      zh: "先由每个通道的均值和最大值得到通道门控，再由各通道上的均值和最大值得到每个位置的门控。后者就是可以叠加在图片上的注意力图（Woo 等，2018）。坐标注意力、全局上下文等方法以别的方式回答同样的两个问题。",
    },
    shows: isOf("cbam", "bam", "gc", "coordinate", "triplet", "simam"),
  },
  {
    title: { en: "Self-attention: every token asks all others", zh: "自注意力：每个词元询问其他所有词元" },
    text: {
      en: "Each token has a query, and each a key; where they agree, the softmax gives weight, and the token takes in that share of the other's value. Click on a patch to make it the query. Each head looks in its own way; a head of low entropy looks at little, one of high entropy at everything (Vaswani et al. 2017).",
      zh: "每个词元都有查询和键；两者相符之处，softmax 给出权重，词元就按这个份额吸收对方的值。点击一个图块，让它成为查询。每个头有自己的看法：熵低的头只看少数位置，熵高的头看所有位置（Vaswani 等，2017）。",
    },
    shows: isOf("attention", "nonlocal", "linear_attention"),
  },
  {
    title: { en: "Positions: where a token stands", zh: "位置编码：词元在哪里" },
    text: {
      en: "Attention itself does not know where tokens stand, so a code is added to each. Learned codes of neighbouring patches come out alike: the similarity of one position to all others shows the rows and columns of the picture (Dosovitskiy et al. 2021).",
      zh: "注意力本身不知道词元的位置，所以给每个词元加上一个编码。学到的编码中，相邻图块彼此相似：一个位置与其他所有位置的相似度显示出图片的行和列（Dosovitskiy 等，2021）。",
    },
    shows: isOf("position"),
  },
  {
    title: { en: "The transformer: layer upon layer", zh: "Transformer：一层又一层" },
    text: {
      en: "Layers of attention mix tokens again and again, so what the last layer's weights point to is a mixture already. Rollout follows the mixture back: it multiplies the layers' weights, and shows how much of each patch has reached a token by that layer (Abnar and Zuidema 2020). Switch it on, and go through the layers with [ and ].",
      zh: "一层层注意力不断混合词元，所以最后一层的权重指向的已经是混合物。Rollout 沿着混合往回追：它把各层的权重相乘，显示到这一层为止每个图块有多少到达了某个词元（Abnar 与 Zuidema，2020）。打开它，用 [ 和 ] 在各层之间移动。",
    },
    shows: isOf("attention"),
  },
];

const state = { step: 0 };

/** The steps for which the model has maps. */
export const stepsFor = (maps: ProbeMap[]): Step[] => STEPS.filter((step) => maps.some(step.shows));

/** The step that the reader has come to, with what leads on; `draw` draws the views of some of the maps. */
export function walk(maps: ProbeMap[], draw: (maps: ProbeMap[]) => HTMLElement[], redraw: () => void): HTMLElement {
  const steps = stepsFor(maps);
  if (steps.length === 0) return element("p", {}, words("this model has none of the attention that the walk is about"));
  state.step = Math.min(state.step, steps.length - 1);
  const step = steps[state.step];
  const go = (by: number) => (): void => {
    state.step += by;
    redraw();
  };
  const language = currentLanguage();
  return element(
    "article",
    { class: "walk" },
    element("h2", {}, `${state.step + 1}/${steps.length} · ${step.title[language]}`),
    element("p", {}, step.text[language]),
    element(
      "p",
      { class: "buttons" },
      element("button", { type: "button", class: "previous", disabled: state.step === 0, onclick: go(-1) }, `← ${words("back")}`),
      element("button", { type: "button", class: "next", disabled: state.step === steps.length - 1, onclick: go(1) }, `${words("on")} →`),
    ),
    ...draw(maps.filter(step.shows)),
  );
}
