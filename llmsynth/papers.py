"""The papers that methods come from, as facts: for the citations in a card."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_LATEX = str.maketrans({sign: f"\\{sign}" for sign in "#$%&_"})


@dataclass(frozen=True, slots=True)
class Citation:
    """A paper, as facts. arxiv: its number there; where: who published it, for one that is not there.

    authors: the last may be "others", as BibTeX has it.
    """

    key: str
    title: str
    authors: tuple[str, ...]
    year: int
    arxiv: str = ""
    where: str = ""

    @property
    def bibtex(self) -> str:
        place = (
            f"  eprint = {{{self.arxiv}}},\n  archivePrefix = {{arXiv}}" if self.arxiv else f"  note = {{{self.where}}}"
        )
        authors = " and ".join(self.authors)
        title = self.title.translate(_LATEX)
        facts = f"  title = {{{{{title}}}}},\n  author = {{{authors}}},\n  year = {{{self.year}}},\n{place}"
        return f"@misc{{{self.key},\n{facts}\n}}"


PAPERS: dict[str, Citation] = {
    "auto-evol-instruct": Citation(
        key="zeng2024auto",
        title="Automatic Instruction Evolving for Large Language Models",
        authors=("Weihao Zeng", "Can Xu", "Yingxiu Zhao", "Jian-Guang Lou", "Weizhu Chen"),
        year=2024,
        arxiv="2406.00770",
    ),
    "evol-instruct": Citation(
        key="xu2023wizardlm",
        title="WizardLM: Empowering Large Language Models to Follow Complex Instructions",
        authors=(
            "Can Xu",
            "Qingfeng Sun",
            "Kai Zheng",
            "Xiubo Geng",
            "Pu Zhao",
            "Jiazhan Feng",
            "Chongyang Tao",
            "Daxin Jiang",
        ),
        year=2023,
        arxiv="2304.12244",
    ),
    "self-instruct": Citation(
        key="wang2022selfinstruct",
        title="Self-Instruct: Aligning Language Models with Self-Generated Instructions",
        authors=(
            "Yizhong Wang",
            "Yeganeh Kordi",
            "Swaroop Mishra",
            "Alisa Liu",
            "Noah A. Smith",
            "Daniel Khashabi",
            "Hannaneh Hajishirzi",
        ),
        year=2022,
        arxiv="2212.10560",
    ),
    "glan": Citation(
        key="li2024glan",
        title="Synthetic Data (Almost) from Scratch: Generalized Instruction Tuning for Language Models",
        authors=(
            "Haoran Li",
            "Qingxiu Dong",
            "Zhengyang Tang",
            "Chaojun Wang",
            "Xingxing Zhang",
            "Haoyang Huang",
            "Shaohan Huang",
            "Xiaolong Huang",
            "Zeqiang Huang",
            "Dongdong Zhang",
            "Yuxian Gu",
            "Xin Cheng",
            "Xun Wang",
            "Si-Qing Chen",
            "Li Dong",
            "Wei Lu",
            "Zhifang Sui",
            "Benyou Wang",
            "Wai Lam",
            "Furu Wei",
        ),
        year=2024,
        arxiv="2402.13064",
    ),
    "c4": Citation(
        key="raffel2019t5",
        title="Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
        authors=(
            "Colin Raffel",
            "Noam Shazeer",
            "Adam Roberts",
            "Katherine Lee",
            "Sharan Narang",
            "Michael Matena",
            "Yanqi Zhou",
            "Wei Li",
            "Peter J. Liu",
        ),
        year=2019,
        arxiv="1910.10683",
    ),
    "cherry": Citation(
        key="li2023quantity",
        title="From Quantity to Quality: Boosting LLM Performance with Self-Guided Data Selection"
        " for Instruction Tuning",
        authors=(
            "Ming Li",
            "Yong Zhang",
            "Zhitao Li",
            "Jiuhai Chen",
            "Lichang Chen",
            "Ning Cheng",
            "Jianzong Wang",
            "Tianyi Zhou",
            "Jing Xiao",
        ),
        year=2023,
        arxiv="2308.12032",
    ),
    "core-set": Citation(
        key="sener2017coreset",
        title="Active Learning for Convolutional Neural Networks: A Core-Set Approach",
        authors=("Ozan Sener", "Silvio Savarese"),
        year=2017,
        arxiv="1708.00489",
    ),
    "deduplication": Citation(
        key="lee2021deduplicating",
        title="Deduplicating Training Data Makes Language Models Better",
        authors=(
            "Katherine Lee",
            "Daphne Ippolito",
            "Andrew Nystrom",
            "Chiyuan Zhang",
            "Douglas Eck",
            "Chris Callison-Burch",
            "Nicholas Carlini",
        ),
        year=2021,
        arxiv="2107.06499",
    ),
    "deita": Citation(
        key="liu2023deita",
        title="What Makes Good Data for Alignment? A Comprehensive Study of Automatic Data Selection"
        " in Instruction Tuning",
        authors=(
            "Wei Liu",
            "Weihao Zeng",
            "Keqing He",
            "Yong Jiang",
            "Junxian He",
        ),
        year=2023,
        arxiv="2312.15685",
    ),
    "fineweb": Citation(
        key="penedo2024fineweb",
        title="The FineWeb Datasets: Decanting the Web for the Finest Text Data at Scale",
        authors=(
            "Guilherme Penedo",
            "Hynek Kydlíček",
            "Loubna Ben allal",
            "Anton Lozhkov",
            "Margaret Mitchell",
            "Colin Raffel",
            "Leandro Von Werra",
            "Thomas Wolf",
        ),
        year=2024,
        arxiv="2406.17557",
    ),
    "gopher": Citation(
        key="rae2021gopher",
        title="Scaling Language Models: Methods, Analysis & Insights from Training Gopher",
        authors=(
            "Jack W. Rae",
            "Sebastian Borgeaud",
            "Trevor Cai",
            "Katie Millican",
            "Jordan Hoffmann",
            "Francis Song",
            "others",
        ),
        year=2021,
        arxiv="2112.11446",
    ),
    "instag": Citation(
        key="lu2023instag",
        title="#InsTag: Instruction Tagging for Analyzing Supervised Fine-tuning of Large Language Models",
        authors=(
            "Keming Lu",
            "Hongyi Yuan",
            "Zheng Yuan",
            "Runji Lin",
            "Junyang Lin",
            "Chuanqi Tan",
            "Chang Zhou",
            "Jingren Zhou",
        ),
        year=2023,
        arxiv="2308.07074",
    ),
    "judge": Citation(
        key="zheng2023judging",
        title="Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena",
        authors=(
            "Lianmin Zheng",
            "Wei-Lin Chiang",
            "Ying Sheng",
            "Siyuan Zhuang",
            "Zhanghao Wu",
            "Yonghao Zhuang",
            "Zi Lin",
            "Zhuohan Li",
            "Dacheng Li",
            "Eric P. Xing",
            "Hao Zhang",
            "Joseph E. Gonzalez",
            "Ion Stoica",
        ),
        year=2023,
        arxiv="2306.05685",
    ),
    "minhash": Citation(
        key="broder1997resemblance",
        title="On the Resemblance and Containment of Documents",
        authors=("Andrei Z. Broder",),
        year=1997,
        where="Compression and Complexity of Sequences (SEQUENCES 1997)",
    ),
    "mmr": Citation(
        key="carbonell1998mmr",
        title="The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries",
        authors=("Jaime Carbonell", "Jade Goldstein"),
        year=1998,
        where="SIGIR 1998",
    ),
    "rouge": Citation(
        key="lin2004rouge",
        title="ROUGE: A Package for Automatic Evaluation of Summaries",
        authors=("Chin-Yew Lin",),
        year=2004,
        where="Text Summarization Branches Out, ACL 2004",
    ),
    "self-consistency": Citation(
        key="wang2022selfconsistency",
        title="Self-Consistency Improves Chain of Thought Reasoning in Language Models",
        authors=(
            "Xuezhi Wang",
            "Jason Wei",
            "Dale Schuurmans",
            "Quoc Le",
            "Ed Chi",
            "Sharan Narang",
            "Aakanksha Chowdhery",
            "Denny Zhou",
        ),
        year=2022,
        arxiv="2203.11171",
    ),
    "semdedup": Citation(
        key="abbas2023semdedup",
        title="SemDeDup: Data-efficient learning at web-scale through semantic deduplication",
        authors=(
            "Amro Abbas",
            "Kushal Tirumala",
            "Dániel Simig",
            "Surya Ganguli",
            "Ari S. Morcos",
        ),
        year=2023,
        arxiv="2303.09540",
    ),
    "superfiltering": Citation(
        key="li2024superfiltering",
        title="Superfiltering: Weak-to-Strong Data Filtering for Fast Instruction-Tuning",
        authors=(
            "Ming Li",
            "Yong Zhang",
            "Shwai He",
            "Zhitao Li",
            "Hongyu Zhao",
            "Jianzong Wang",
            "Ning Cheng",
            "Tianyi Zhou",
        ),
        year=2024,
        arxiv="2402.00530",
    ),
    "ultrafeedback": Citation(
        key="cui2023ultrafeedback",
        title="UltraFeedback: Boosting Language Models with Scaled AI Feedback",
        authors=(
            "Ganqu Cui",
            "Lifan Yuan",
            "Ning Ding",
            "Guanming Yao",
            "Bingxiang He",
            "Wei Zhu",
            "Yuan Ni",
            "Guotong Xie",
            "Ruobing Xie",
            "Yankai Lin",
            "Zhiyuan Liu",
            "Maosong Sun",
        ),
        year=2023,
        arxiv="2310.01377",
    ),
    "wizardcoder": Citation(
        key="luo2023wizardcoder",
        title="WizardCoder: Empowering Code Large Language Models with Evol-Instruct",
        authors=(
            "Ziyang Luo",
            "Can Xu",
            "Pu Zhao",
            "Qingfeng Sun",
            "Xiubo Geng",
            "Wenxiang Hu",
            "Chongyang Tao",
            "Jing Ma",
            "Qingwei Lin",
            "Daxin Jiang",
        ),
        year=2023,
        arxiv="2306.08568",
    ),
    "wizardmath": Citation(
        key="luo2023wizardmath",
        title="WizardMath: Empowering Mathematical Reasoning for Large Language Models via Reinforced Evol-Instruct",
        authors=(
            "Haipeng Luo",
            "Qingfeng Sun",
            "Can Xu",
            "Pu Zhao",
            "Jianguang Lou",
            "Chongyang Tao",
            "Xiubo Geng",
            "Qingwei Lin",
            "Shifeng Chen",
            "Yansong Tang",
            "Dongmei Zhang",
        ),
        year=2023,
        arxiv="2308.09583",
    ),
}

# what a step or selector of the catalogue goes back to
OF_STEPS: dict[str, tuple[str, ...]] = {
    "c4": ("c4",),
    "deita": ("deita",),
    "fineweb": ("fineweb",),
    "gopher-quality": ("gopher",),
    "gopher-repetition": ("gopher",),
    "ifd": ("cherry", "superfiltering"),
    "judge": ("judge",),
    "k-center": ("core-set",),
    "minhash-duplicates": ("minhash", "deduplication"),
    "mmr": ("mmr",),
    "pairwise-judge": ("judge",),
    "representation-filter": ("deita",),
    "preference": ("ultrafeedback",),
    "respond": ("ultrafeedback",),
    "rouge-duplicates": ("rouge",),
    "self-consistency": ("self-consistency",),
    "semantic-duplicates": ("semdedup",),
    "tags": ("instag",),
    "web-profile": ("gopher", "c4", "fineweb"),
}


def cited(papers: Iterable[str], steps: Iterable[str] = ()) -> tuple[Citation, ...]:
    """The papers of a generator, and of steps and selectors by their names in recipes, each once."""
    keys = [*papers, *(key for name in steps for key in OF_STEPS.get(name, ()))]
    return tuple(PAPERS[key] for key in dict.fromkeys(keys) if key in PAPERS)
