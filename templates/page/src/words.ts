// Words: what the page says, in English and Chinese. English is the key; what has no translation stays English.

const CHINESE: Record<string, string> = {
  numbers: "数值",
  "too many numbers for a table; export them": "数值太多，无法列成表格；请导出",
};

let language: "en" | "zh" = navigator.language.startsWith("zh") ? "zh" : "en";

export const words = (english: string): string => (language === "zh" ? (CHINESE[english] ?? english) : english);
export const currentLanguage = (): "en" | "zh" => language;
export function speak(next: "en" | "zh"): void {
  language = next;
  document.documentElement.lang = next;
}
