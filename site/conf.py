"Settings of Sphinx. The pages come from build.py, which writes them into the source folder beside this file's copy."
import json, sys
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here))
facts = json.loads((here/'facts.json').read_text(encoding='utf-8'))

project, author, version, release = 'fastnlp_course', facts['author'], facts['version'], facts['version']
copyright, language = facts['copyright'], 'en'
extensions = ['myst_nb', 'site_extension']
exclude_patterns = ['facts.json']
nb_execution_mode = 'off'
nb_merge_streams = True
nb_ipywidgets_js = {}
nb_render_markdown_format = 'commonmark'
myst_enable_extensions = ['attrs_block', 'attrs_inline', 'colon_fence', 'dollarmath', 'deflist']
myst_heading_anchors = 6
myst_dmath_double_inline = True
smartquotes = False
add_module_names = False
toc_object_entries = False
pygments_style = 'a11y-light'
html_theme = 'sphinx_book_theme'
html_context = {'default_mode': 'auto'}
html_favicon = '_static/favicon.svg'
html_title = 'fastnlp_course'
html_static_path = ['_static']
html_css_files = ['course.css']
html_js_files = ['chinese_search.js', 'scrolling.js']
html_copy_source = False
html_show_sourcelink = False
html_math_renderer = 'mathml'
html_sidebars = {'**': ['navbar-logo.html', 'course_search.html', 'course_list.html']}
html_theme_options = {
    'repository_url': facts['git_url'], 'use_repository_button': True, 'use_download_button': False, 'use_fullscreen_button': False,
    'show_toc_level': 2, 'navbar_persistent': [], 'secondary_sidebar_items': {'**': ['page-toc'], 'index': [], 'search': [], 'genindex': []}, 'logo': {'text': 'fastnlp_course'}, 'pygments_light_style': 'a11y-high-contrast-light', 'pygments_dark_style': 'a11y-high-contrast-dark'}
templates_path = ['_templates']
suppress_warnings = []
epub_title = 'fastnlp_course: from text to prediction'
epub_basename = 'fastnlp_course'
epub_show_urls = 'no'
epub_tocdepth = 2
epub_use_index = False
