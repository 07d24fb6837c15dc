"""A benchmark from its questions to its figures: answers, the judge, rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zsad.errors import InputError, UsageError
from zsad.language.asking import Picture
from zsad.language.bench import causation, cuva, ecva, hawk, hivau, texts, vane
from zsad.language.bench import frames as choice
from zsad.language.bench.answer_files import read_answers
from zsad.language.bench.items import Answer, Data, Findings, Question, Row, Verdict
from zsad.language.bench.jobs import Got, Job, of_video, run
from zsad.language.bench.ranked import ranked_frames
from zsad.language.bench.settings import BY_VIDEO, Options, chosen, prompts_of, read_data
from zsad.language.cache import Cache
from zsad.language.explain.shots import read_shots
from zsad.language.footage import Footage
from zsad.language.gateway import Gateway
from zsad.language.windows import even
from zsad.outside import printable, terminal

OnAnswer = Callable[[str, int], None]


@dataclass
class Run:
    """One run of a benchmark.

    Args:
        options: what is asked for.
        gateway: the way to the model; None where answers are read and no judge is asked.
        judge: gives the way to the judge, once all answers are there.
        on_answer: told what is under way, and how many calls of it are done.
    """

    options: Options
    gateway: Gateway | None = None
    judge: Callable[[], Gateway] | None = None
    on_answer: OnAnswer = lambda what, done: None
    notes: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    footages: dict[Path, Footage] = field(default_factory=dict)
    peaks: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.prompts = prompts_of(self.options.benchmark)

    def findings(self) -> Findings:
        """Ask, judge and measure.

        Raises:
            DatasetError: the data can't be read.
            InputError: a file of answers can't be, or does not belong to the data.
            UsageError: an option that this data has nothing for.
            BudgetError: the budget ended before; a second run goes on.
            EndpointError: the endpoint takes no question at all.
        """
        whole = read_data(self.options)
        data = chosen(whole, self.options)
        self._check(data)
        if self.options.answers:
            kept = {question.id for question in data.questions}
            read = read_answers(self.options.answers, whole.questions)
            answers = [answer for answer in read if answer.question.id in kept]
        else:
            answers = self._asked(data)
        counted = [answer for answer in answers if answer.measured]
        verdicts = self._judged(counted) if self.options.judged else []
        empty = self._of_nothing() if self.options.judged and self._asks_about_nothing() else []
        rows = self._rows(counted, verdicts, empty) if counted else []
        left_out = [*data.left_out, *_missing(answers), *(f"{name}: {why}" for name, why in self.broken.items())]
        return Findings(answers, [*verdicts, *empty], rows, left_out, [*data.notes, *self.notes], self._facts())

    def _check(self, data: Data) -> None:
        options = self.options
        if options.embedder is not None and not any(question.sentences for question in data.questions):
            raise UsageError(
                "--model draws the importance curve of key sentences, which this data has none of; leave it out"
            )
        if options.sampling in ("replaced", "added"):
            if not any(question.moments for question in data.questions if question.task in choice.HINTED):
                raise UsageError(
                    f"--sampling {options.sampling} goes by annotated moments, which this data has none of"
                )
            self.notes.append(
                "frames and a hint by the annotated moments: an upper bound, not comparable with other figures"
            )

    # answers

    def _asked(self, data: Data) -> list[Answer]:
        """Ask the model every question whose video is there."""
        assert self.gateway is not None
        there = [question for question in data.questions if question.path is not None]
        ranked: dict[Path, tuple[int, ...]] = {}
        if self.options.sampling == "ranked":
            by_path = {question.path: question.video for question in there if question.path is not None}
            ranked = ranked_frames(self.gateway, self.prompts, by_path, self._footage, self.options.frames, self.broken)
        found: dict[str, Answer] = {}
        for got in self._run(self.gateway, self._answer_jobs(there, ranked), "answers"):
            found[got.job.of.id] = _answer(got)
        return [found.get(question.id) or Answer(question, "", self._why(question), measured=False)
                for question in data.questions]  # fmt: skip

    def _why(self, question: Question) -> str:
        return "missing" if question.path is None else "broken"

    def _answer_jobs(self, questions: Sequence[Question], ranked: dict[Path, tuple[int, ...]]) -> Iterator[Job]:
        for path, part in _by_path(questions):
            if self.options.benchmark.name == "vane" and path.is_dir():
                yield from self._guarded(part[0].video, self._of_pictures(path, part))
            else:
                yield from self._guarded(part[0].video, self._of_footage(path, part, ranked))

    def _of_pictures(self, folder: Path, questions: Sequence[Question]) -> Iterator[Job]:
        pictures = vane.frames_of(folder, self.options.frames)
        for question in questions:
            yield self._job(question, pictures)

    def _of_footage(
        self, path: Path, questions: Sequence[Question], ranked: dict[Path, tuple[int, ...]]
    ) -> Iterator[Job]:
        assert self.gateway is not None
        footage = self._footage(path)
        if self.options.motion:
            frames = tuple(even(0, footage.facts.n_frames, min(self.options.frames, footage.facts.n_frames)))
            shots, _ = read_shots(footage, frames, motion=True)
            moving = [shot.motion for shot in shots if shot.motion is not None]
            for question in questions:
                yield self._job(question, [shot.picture for shot in shots], motion=moving)
            return
        by_frames: dict[tuple[int, ...], list[Question]] = {}
        for question in questions:
            by_frames.setdefault(ranked.get(path) or self._frames(footage, question), []).append(question)
        yield from of_video(self.gateway, footage, by_frames, lambda question, found: [self._job(question, found)])

    def _frames(self, footage: Footage, question: Question) -> tuple[int, ...]:
        options = self.options
        if options.sampling in ("replaced", "added"):
            return choice.by_moments(footage, question, options.sampling, options.frames, options.seed)
        return choice.even_frames(footage, options.frames, question.span)

    def _job(self, question: Question, pictures: Sequence[Picture], **more: Any) -> Job:
        by_video = self.options.benchmark.name in BY_VIDEO
        if self.options.sampling in ("replaced", "added"):
            more["hint"] = choice.hint_of(question)
        asked = self.options.benchmark.ask(self.prompts, question, pictures, **more)
        if self.options.max_tokens is not None:
            asked = replace(asked, sampling=replace(asked.sampling, max_tokens=self.options.max_tokens))
        parser = cuva.parser_of(question.task) if by_video else None
        wanted = self.prompts[question.task.lower()].wanted if parser else ""
        return Job(question, asked, parser, wanted)

    # the judge

    def _judged(self, answers: Sequence[Answer]) -> list[Verdict]:
        name = self.options.benchmark.name
        free = [answer for answer in answers if name not in BY_VIDEO or answer.question.task in causation.FREE]
        judge = self._judge()
        if name == "cuva":
            seen = [answer for answer in free if answer.question.path is not None]
            if len(seen) < len(free):
                self.notes.append(f"{len(free) - len(seen)} answers are not judged: MMEval's judge looks at the video")
            silent = texts.nothing_said(seen, [cuva.MEASURE])
            jobs: Iterable[Job] = self._mmeval_jobs(judge, [answer for answer in seen if answer.text.strip()])
        elif name == "ecva":
            silent = [one for answer in free for one in texts.nothing_said([answer], ecva.measures(answer))]
            jobs = (job for answer in free if answer.text.strip() for job in ecva.agent_jobs(self.prompts, answer))
        else:
            silent = texts.nothing_said(free, list(texts.ASPECTS))
            jobs = texts.aspect_jobs(self.prompts["judge"], free)
        return [*silent, *self._verdicts(judge, jobs)]

    def _verdicts(self, judge: Gateway, jobs: Iterable[Job]) -> list[Verdict]:
        found = []
        for got in self._run(judge, jobs, "judge"):
            question = got.job.of.question
            if got.failed:
                self.broken[f"judge of {question.id}"] = terminal(got.reason, 120)
            else:
                found.append(Verdict(question.id, question.task, got.job.measure, got.value, got.reason))
        return found

    def _judge(self) -> Gateway:
        judge = self.judge() if self.judge else self.gateway
        assert judge is not None
        return judge

    def _mmeval_jobs(self, judge: Gateway, answers: Sequence[Answer]) -> Iterator[Job]:
        of = {answer.question.id: answer for answer in answers}
        for path, questions in _by_path([answer.question for answer in answers]):
            yield from self._guarded(
                questions[0].video, self._mmeval_of(judge, path, [of[one.id] for one in questions])
            )

    def _mmeval_of(self, judge: Gateway, path: Path, answers: Sequence[Answer]) -> Iterator[Job]:
        footage, question = self._footage(path, judge), answers[0].question
        if self.options.embedder is not None and question.sentences:
            shown, at = choice.by_importance(footage, question.sentences, self.options.embedder, self.options.frames)
            self.peaks[question.video] = at
        else:
            shown = choice.even_frames(footage, self.options.frames)
        yield from of_video(judge, footage, {shown: list(answers)},
                            lambda answer, found: list(cuva.judge_jobs(self.prompts, answer, found)))  # fmt: skip

    def _asks_about_nothing(self) -> bool:
        return self.options.benchmark.name == "ecva" and not self.options.answers

    def _of_nothing(self) -> list[Verdict]:
        """Ask the three questions that want words about a video that shows nothing, and judge the answers."""
        assert self.gateway is not None
        pictures = [_black()] * self.options.frames
        asked = [
            self._job(Question(f"{task}/empty video", "empty video", task, ""), pictures) for task in causation.FREE
        ]
        answers = [_answer(got) for got in self._run(self.gateway, asked, "answers")]
        said = [answer for answer in answers if answer.measured and answer.text.strip()]
        silent = [Verdict(one.question.id, one.question.task, "hallucination", 1.0, one.reason) for one in answers
                  if one.measured and not one.text.strip()]  # fmt: skip
        return [*silent, *self._verdicts(self._judge(), (ecva.empty_job(self.prompts, answer) for answer in said))]

    # figures

    def _rows(self, answers: Sequence[Answer], verdicts: Sequence[Verdict], empty: Sequence[Verdict]) -> list[Row]:
        name = self.options.benchmark.name
        if name == "vane":
            return vane.rows(answers)
        if name == "cuva":
            return cuva.rows(answers, verdicts, self._durations(answers))
        if name == "ecva":
            return ecva.rows(answers, verdicts, self._durations(answers), empty)
        return hawk.rows(answers, verdicts) if name == "hawk" else hivau.rows(answers, verdicts)

    def _durations(self, answers: Sequence[Answer]) -> dict[str, float]:
        """Return the seconds of videos whose spans are measured, where the videos are there and can be opened."""
        found: dict[str, float] = {}
        for answer in answers:
            question = answer.question
            if question.task == "Timestamp" and question.path is not None:
                try:
                    facts = self._footage(question.path).facts
                    found[question.video] = facts.n_frames / facts.fps
                except InputError as error:
                    self.broken[printable(question.video)] = terminal(error, 160)
        return found

    def _facts(self) -> dict[str, Any]:
        return (
            {} if self.options.embedder is None else {"importance_peaks": {key: self.peaks[key] for key in self.peaks}}
        )

    def _footage(self, path: Path, gateway: Gateway | None = None) -> Footage:
        if path not in self.footages:
            used = gateway or self.gateway
            cache = used.cache if used is not None else Cache(None)
            self.footages[path] = Footage(path, cache, self.options.folder_fps)
        return self.footages[path]

    def _guarded(self, video: str, jobs: Iterator[Job]) -> Iterator[Job]:
        """Yield the calls of one video; one that can't be read is named, and the others go on."""
        try:
            yield from jobs
        except InputError as error:
            self.broken[printable(video)] = terminal(error, 160)

    def _run(self, gateway: Gateway, jobs: Iterable[Job], what: str) -> Iterator[Got]:
        return run(gateway, jobs, lambda done: self.on_answer(what, done))


def _answer(got: Got) -> Answer:
    if got.failed:
        return Answer(got.job.of, "", terminal(got.reason, 120), measured=False)
    return Answer(got.job.of, got.text, "" if got.text.strip() else got.reason)


def _missing(answers: Sequence[Answer]) -> list[str]:
    """Return a line for each video that is not there, and for each question without an answer that counts."""
    lines: dict[str, int] = {}
    for answer in answers:
        if answer.measured or answer.reason == "broken":
            continue
        question = answer.question
        if answer.reason == "missing":
            said = f"{printable(question.video)}: no such video below the folder of the videos"
        elif answer.reason == "unanswered":
            said = f"{printable(question.id)}: no answer in the files of answers"
        else:
            said = f"{printable(question.id)}: {answer.reason}"
        lines[said] = lines.get(said, 0) + 1
    return [said if count == 1 else f"{said} ({count} questions)" for said, count in lines.items()]


def _by_path(questions: Sequence[Question]) -> list[tuple[Path, list[Question]]]:
    found: dict[Path, list[Question]] = {}
    for question in questions:
        if question.path is not None:
            found.setdefault(question.path, []).append(question)
    return list(found.items())


def _black() -> Picture:
    from PIL import Image

    from zsad.language.pictures import to_jpeg

    return Picture.of(to_jpeg(Image.new("RGB", (512, 288))))
